// How two ends of a socket become a ring pipe outside a session: each sends its outbox and maps the other's.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_RING_HANDSHAKE_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_RING_HANDSHAKE_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/internal/ring_parts.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One side's half: make it, `Send` it, `Receive` the peer's.
class RingHandshake {
 public:
  // INVALID_ARGUMENT: a size that no ring has, or not a connected SEQPACKET socket.
  static absl::StatusOr<RingHandshake> Create(Fd socket, size_t ring_bytes);

  // Waits for room (see `SendPacketBy`). RESOURCE_EXHAUSTED: there was none until `deadline`.
  absl::Status Send(Deadline deadline);

  // Errors as of `RingPipe::FromSocket`.
  absl::StatusOr<RingParts> Receive(Deadline deadline) &&;

 private:
  RingHandshake(Fd socket, Region outbox) : socket_(std::move(socket)), outbox_(std::move(outbox)) {}

  Fd socket_;
  Region outbox_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_RING_HANDSHAKE_H_
