// Tests with several users. They need root, and `no_sandbox`: the sandbox maps one uid only.

#ifndef SLUICE_IPC_UTIL_TESTING_USER_H_
#define SLUICE_IPC_UTIL_TESTING_USER_H_

#include <sys/types.h>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Nobody's in particular, and no root's.
inline constexpr uid_t kOtherUid = 4001;
inline constexpr gid_t kOtherGid = 5001;

// Whether this process may become another user. A test skips loudly where it may not.
bool CanBecomeUsers();

// Makes this process, a child as a rule, one of `uid` and `gid` for good, without supplementary groups and
// capabilities. Ends the program where that fails.
void BecomeUser(uid_t uid, gid_t gid);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_USER_H_
