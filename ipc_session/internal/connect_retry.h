// When connecting again may help.

#ifndef SLUICE_IPC_SESSION_INTERNAL_CONNECT_RETRY_H_
#define SLUICE_IPC_SESSION_INTERNAL_CONNECT_RETRY_H_

#include "absl/status/status.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Whether the server had too many logins under way: each client tries again by itself, as it would wait for a place in
// the kernel's queue.
inline bool IsBusy(const absl::Status& status) {
  return absl::IsUnavailable(status) && ReasonOf(status) == Reason::kLimit;
}

// Whether a later login may succeed where one failed with `status`: nobody listened, the server died in the login, or
// it is at a limit.
inline bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || ReasonOf(status) == Reason::kLimit;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_CONNECT_RETRY_H_
