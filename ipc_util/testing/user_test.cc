#include "ipc_util/testing/user.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "gtest/gtest.h"
#include "ipc_util/testing/child.h"

namespace ipc::testing {
namespace {

SLUICE_CHILD_ROLE(other_user) {
  BecomeUser(kOtherUid, kOtherGid);
  const bool is_other = getuid() == kOtherUid && geteuid() == kOtherUid && getegid() == kOtherGid &&
                        getgroups(0, nullptr) == 0 && setuid(0) != 0;
  const bool is_weak = open("/etc/shadow", O_WRONLY | O_CLOEXEC) < 0 && (errno == EACCES || errno == ENOENT);
  TellParent(is_other && is_weak ? "other" : "not quite");
  return 0;
}

TEST(UserTest, AChildBecomesAnotherUser) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  EXPECT_EQ(Child::Start("other_user").Hear(), "other");
}

}  // namespace
}  // namespace ipc::testing
