// A login's socket: whole frames with their descriptors.

#ifndef SLUICE_IPC_SESSION_INTERNAL_FRAME_SOCKET_H_
#define SLUICE_IPC_SESSION_INTERNAL_FRAME_SOCKET_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

struct ReceivedFrame {
  std::vector<std::byte> packet;
  std::vector<Fd> descriptors;
};

// Never waits. False: no room now, to be tried again with each `kInFlightTick`. A login sends fewer frames than a fresh
// socket holds, so it can only be that. UNAVAILABLE: the peer has gone.
absl::StatusOr<bool> TrySendFrame(FdView socket, absl::string_view packet, absl::Span<const FdView> descriptors = {});

// The same, but waits for room. RESOURCE_EXHAUSTED: there was none until `deadline`.
absl::Status SendFrame(FdView socket, absl::string_view packet, absl::Span<const FdView> descriptors = {},
                       Deadline deadline = Deadline::Passed());

// Never waits; nullopt: nothing is there. UNAVAILABLE (kGone): the peer has gone. DATA_LOSS: larger than any frame.
// RESOURCE_EXHAUSTED: no room for its descriptors.
absl::StatusOr<std::optional<ReceivedFrame>> TryReceiveFrame(FdView socket);

// Waits for one; sees the end of `process` too. DEADLINE_EXCEEDED: none came.
absl::StatusOr<ReceivedFrame> ReceiveFrame(FdView socket, const PidFd& process, Deadline deadline);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_FRAME_SOCKET_H_
