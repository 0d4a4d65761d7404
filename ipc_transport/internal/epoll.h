// Descriptors that watch others: epoll(7).

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_EPOLL_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_EPOLL_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// RESOURCE_EXHAUSTED: no descriptor for it (raise RLIMIT_NOFILE).
absl::StatusOr<Fd> MakeEpoll();

// `epoll` watches `fd` for `events` from now on; `key` comes with them. Errors as of `FromErrno`.
absl::Status Watch(FdView epoll, FdView fd, uint32_t events, uint64_t key = 0);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_EPOLL_H_
