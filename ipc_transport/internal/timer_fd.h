// A deadline as a descriptor, for what waits by descriptors alone.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_TIMER_FD_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_TIMER_FD_H_

#include "absl/status/statusor.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Not readable until it is set. RESOURCE_EXHAUSTED: no descriptor for it (raise RLIMIT_NOFILE).
absl::StatusOr<Fd> MakeTimer();

// `timer` is readable from `deadline` on, until it is set anew.
void SetTimer(FdView timer, Deadline deadline);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_TIMER_FD_H_
