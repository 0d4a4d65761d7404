// Accepts TCP connections, reads the first line of each, and hands the socket over to a worker.

#ifndef SLUICE_EXAMPLES_SOCKET_HANDOFF_FRONT_H_
#define SLUICE_EXAMPLES_SOCKET_HANDOFF_FRONT_H_

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace socket_handoff {

// One thread. Tells on standard output what it does.
class Front {
 public:
  using StartWorker = std::function<absl::StatusOr<std::unique_ptr<ipc::SocketPipe>>()>;

  // Listens on 127.0.0.1, at a port that the kernel chooses, and starts the first worker. A client that does not send
  // its first line within `line_time` is sent away.
  static absl::StatusOr<Front> Listen(StartWorker start_worker, absl::Duration line_time);

  // Until `stop` is readable. The worker then goes on until its clients have left.
  absl::Status Run(ipc::FdView stop);

 private:
  struct Client {
    enum class State { kReading, kReady, kDone };

    ipc::Fd socket;
    ipc::Deadline deadline;  // Of the first line.
    std::string bytes;       // All that was read.
    State state = State::kReading;
    bool was_refused = false;  // The pipe had no room for it.
  };

  Front(ipc::Fd listener, StartWorker start_worker, absl::Duration line_time)
      : listener_(std::move(listener)), start_worker_(std::move(start_worker)), line_time_(line_time) {}

  bool HasRoom() const;
  absl::Status ReplaceWorker();
  // Hands over those whose line is there, until the pipe has no room.
  absl::Status HandOver();
  // Waits for whatever comes next, and reads it. Whether it was `stop`.
  absl::StatusOr<bool> WaitAndRead(ipc::FdView stop);
  // Until when nothing but a descriptor can end the wait.
  ipc::Deadline NextDeadline() const;
  void Accept();
  static void Read(Client& client);
  // A last word to a client that is not handed over.
  static void SendAway(Client& client, absl::string_view why);

  ipc::Fd listener_;
  StartWorker start_worker_;
  absl::Duration line_time_;

  std::unique_ptr<ipc::SocketPipe> worker_;
  std::list<Client> reading_;  // The first line is not there yet.
  std::list<Client> ready_;    // It is; they wait for room in the pipe.
  bool is_refused_ = false;    // The first of them was, and nothing has told of room since.
  ipc::Deadline pause_ = ipc::Deadline::Passed();
};

}  // namespace socket_handoff

#endif  // SLUICE_EXAMPLES_SOCKET_HANDOFF_FRONT_H_
