// The first packets over the companion socket of a pipe that has memory or queues beside it.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_HELLO_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_HELLO_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// INVALID_ARGUMENT: `socket` is no SEQPACKET socket.
absl::Status CheckCompanion(FdView socket);

// Waits for room (see `SendPacketBy`). RESOURCE_EXHAUSTED: there was none until `deadline`. UNAVAILABLE (kGone): the
// peer has gone.
absl::Status SendHello(FdView socket, Blob hello, absl::Span<const FdView> descriptors, Deadline deadline);

// Waits for the peer's; returns its size. DATA_LOSS: more bytes than `hello` has. UNAVAILABLE (kGone): the peer has
// gone. DEADLINE_EXCEEDED: it has not answered.
absl::StatusOr<size_t> ReceiveHello(FdView socket, absl::Span<std::byte> hello, std::vector<Fd>* descriptors,
                                    Deadline deadline);

// The peer's process; empty for a socketpair(2), whose maker need not hold an end of it. UNAVAILABLE: it has ended.
absl::StatusOr<PidFd> WatchPeer(FdView socket);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_HELLO_H_
