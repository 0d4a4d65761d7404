#include "ipc_util/testing/user.h"

#include <grp.h>
#include <unistd.h>

#include <cstdlib>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

bool CanBecomeUsers() { return geteuid() == 0; }

void BecomeUser(uid_t uid, gid_t gid) {
  if (setgroups(0, nullptr) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) std::abort();
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
