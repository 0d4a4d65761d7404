// When connecting again may help.

#ifndef SLUICE_IPC_SESSION_INTERNAL_CONNECT_RETRY_H_
#define SLUICE_IPC_SESSION_INTERNAL_CONNECT_RETRY_H_

#include "absl/status/status.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Whether a later login may succeed where one failed with `status`: nobody listened, the server died in the login, or
// it is at a limit.
inline bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || ReasonOf(status) == Reason::kLimit;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_CONNECT_RETRY_H_
