// Unix sockets with a name: the one place that knows addresses.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_UNIX_SOCKET_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_UNIX_SOCKET_H_

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The longest path that an address holds.
inline constexpr size_t kMaxSocketPathBytes = 107;

// A connected pair of SEQPACKET sockets, without a name. RESOURCE_EXHAUSTED: no descriptors for it.
absl::StatusOr<std::pair<Fd, Fd>> MakePairOfSockets();

// A SEQPACKET socket that listens at `path`, non-blocking, its file of exactly `mode` and never wider.
// INVALID_ARGUMENT: a path that no address holds. ALREADY_EXISTS: something is there; it is left alone.
absl::StatusOr<Fd> ListenAt(const std::string& path, mode_t mode, int backlog);

// The next connection, waited for until `deadline`. DEADLINE_EXCEEDED: none came. RESOURCE_EXHAUSTED: no descriptor for
// it; it stays in the queue.
absl::StatusOr<Fd> AcceptFrom(FdView listener, Deadline deadline);

// A socket connected to the one that listens at `path`. INVALID_ARGUMENT: as above. UNAVAILABLE (kNoServer): nobody
// listens. PERMISSION_DENIED: modes do not let this process in. DEADLINE_EXCEEDED: the listener's queue stayed full.
absl::StatusOr<Fd> ConnectToListener(const std::string& path, Deadline deadline);

// As above, but waits until `deadline` for somebody to listen. DEADLINE_EXCEEDED (kNoServer): nobody did.
absl::StatusOr<Fd> ConnectOnceListening(const std::string& path, Deadline deadline);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_UNIX_SOCKET_H_
