// Serves clients whose first line another process has read.

#ifndef SLUICE_EXAMPLES_SOCKET_HANDOFF_WORKER_H_
#define SLUICE_EXAMPLES_SOCKET_HANDOFF_WORKER_H_

#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/fd.h"

namespace socket_handoff {

// Welcomes each client by its name, and then sends back what comes until the client ends. One thread.
class Worker {
 public:
  explicit Worker(std::unique_ptr<ipc::SocketPipe> front) : front_(std::move(front)) {}

  // Until the front is gone, and all clients have left. An error: why no more clients can be taken.
  absl::Status Run();

 private:
  struct Client {
    ipc::Fd socket;
    std::string unsent;    // While there is some, nothing is read from the client.
    bool is_done = false;  // It has ended, or its connection is broken.
  };

  bool TakesClients() const;
  // As many as have come and are not too many.
  void TakeClients();
  absl::Status WaitAndServe();
  static void Serve(Client& client);

  const std::unique_ptr<ipc::SocketPipe> front_;
  absl::Status front_end_;  // Why no more come; OK while they do.
  std::list<Client> clients_;
};

}  // namespace socket_handoff

#endif  // SLUICE_EXAMPLES_SOCKET_HANDOFF_WORKER_H_
