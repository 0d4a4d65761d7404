// How two ends of a socket become a queue pipe: each sends the receiving end of the queue that it fills.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MQ_HANDSHAKE_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MQ_HANDSHAKE_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/mq_queue.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What a queue pipe is made of.
struct MqParts {
  std::shared_ptr<Link> link;
  Fd own;  // To send.
  MqShape own_shape;
  Fd peer;  // To receive; checked.
  MqShape peer_shape;
};

// One side's half: make it, `Send` it, `Receive` the peer's. Errors as of `MqPipe::FromSocket`.
class MqHandshake {
 public:
  static absl::StatusOr<MqHandshake> Create(Fd socket, const MqShape& shape);

  // Waits for room (see `SendHello`).
  absl::Status Send(Deadline deadline);

  // The pipe watches `process`; where that is empty, who connected the socket.
  absl::StatusOr<MqParts> Receive(Deadline deadline, PidFd process = PidFd()) &&;

 private:
  MqHandshake(Fd socket, const MqShape& shape, MqQueue queue)
      : socket_(std::move(socket)), shape_(shape), queue_(std::move(queue)) {}

  Fd socket_;
  MqShape shape_;
  MqQueue queue_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MQ_HANDSHAKE_H_
