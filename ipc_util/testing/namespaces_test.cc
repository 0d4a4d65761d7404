#include "ipc_util/testing/namespaces.h"

#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/child.h"

namespace ipc::testing {
namespace {

SLUICE_CHILD_ROLE(enters_all) {
  const std::string refused = EnterNamespaces(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS);
  if (!refused.empty()) {
    TellParent(absl::StrCat("refused ", refused));
    return 0;
  }
  TellParent(absl::StrCat("process ", getpid()));
  TellParent(std::filesystem::exists("/proc/1/exe") ? "seen" : "hidden");
  {
    const HiddenProc hidden;
    TellParent(std::filesystem::exists("/proc/1/exe") ? "seen" : "hidden");
  }
  TellParent(std::filesystem::exists("/proc/1/exe") ? "seen" : "hidden");
  return 3;
}

TEST(NamespacesTest, AChildEntersThem) {
  Child child = Child::Start("enters_all");
  const std::string heard = child.Hear();
  if (absl::StartsWith(heard, "refused")) GTEST_SKIP() << "SKIPPED: the kernel " << heard;
  EXPECT_EQ(heard, "process 1");
  EXPECT_EQ(child.Hear(), "seen");
  EXPECT_EQ(child.Hear(), "hidden");
  EXPECT_EQ(child.Hear(), "seen");
  EXPECT_EQ(child.Wait(), 3);
}

SLUICE_CHILD_ROLE(nobody) { return 0; }

SLUICE_CHILD_ROLE(chooses_a_number) {
  const std::string refused = EnterNamespaces(CLONE_NEWPID);
  if (!refused.empty() || !SetNextPid(77)) {
    TellParent(absl::StrCat("refused ", refused));
    return 0;
  }
  Child child = Child::Start("nobody");
  TellParent(absl::StrCat(child.pid()));
  return child.Wait();
}

TEST(NamespacesTest, TheNextProcessGetsTheNumber) {
  Child child = Child::Start("chooses_a_number");
  const std::string heard = child.Hear();
  if (absl::StartsWith(heard, "refused")) GTEST_SKIP() << "SKIPPED: the kernel " << heard;
  EXPECT_EQ(heard, "77");
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace ipc::testing
