#include "ipc_util/testing/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

SLUICE_CHILD_ROLE(returns_7) { return 7; }

SLUICE_CHILD_ROLE(aborts) {
  signal(SIGABRT, SIG_DFL);
  std::abort();
}

// Sends back what it hears, until that is nothing.
SLUICE_CHILD_ROLE(echo) {
  for (std::string line = HearParent(); !line.empty(); line = HearParent()) TellParent(line);
  return 0;
}

SLUICE_CHILD_ROLE(tells_arguments) {
  TellParent(absl::StrJoin(arguments, "|"));
  return 0;
}

SLUICE_CHILD_ROLE(tells_variable) {
  const char* const value = std::getenv("SLUICE_CHILD_TEST");
  TellParent(value == nullptr ? "unset" : value);
  return 0;
}

// Reads what it inherits to the end.
SLUICE_CHILD_ROLE(reads_inherited) {
  const Fd inherited = InheritedFd();
  if (!inherited.valid()) {
    TellParent("nothing");
    return 0;
  }
  std::string text(64, '\0');
  text.resize(std::max<ssize_t>(0, read(inherited.get(), text.data(), text.size())));
  TellParent(absl::StrCat(text, fcntl(inherited.get(), F_GETFD) == FD_CLOEXEC ? "" : " leaks",
                          InheritedFd().valid() ? " twice" : ""));
  return 0;
}

SLUICE_CHILD_ROLE(parent_of_echo) {
  const Child child = Child::Start("echo");
  TellParent(absl::StrCat(child.pid()));
  HearParent();
  return 0;
}

bool IsReaped(pid_t pid) { return waitpid(pid, nullptr, WNOHANG) < 0 && errno == ECHILD; }

TEST(ChildTest, WaitTellsTheExitCodeOrTheSignal) {
  EXPECT_EQ(Child::Start("returns_7").Wait(), 7);
  EXPECT_EQ(Child::Start("aborts").Wait(), -SIGABRT);
}

TEST(ChildTest, TalksBothWays) {
  Child child = Child::Start("echo");
  for (const char* const line : {"one", "two words"}) {
    child.Tell(line);
    EXPECT_EQ(child.Hear(), line);
  }
}

TEST(ChildTest, HearsNothingFromOneThatHasGone) {
  Child child = Child::Start("returns_7");
  EXPECT_EQ(child.Hear(), "");
  child.Tell("to nobody");
  EXPECT_EQ(child.Wait(), 7);
}

TEST(ChildTest, GetsItsArgumentsAndEnvironment) {
  EXPECT_EQ(Child::Start("tells_arguments", {"a", "b c", ""}).Hear(), "a|b c|");
  EXPECT_EQ(Child::Start("tells_variable").Hear(), "unset");
  EXPECT_EQ(Child::Start("tells_variable", {}, {.environment = {"SLUICE_CHILD_TEST=1"}, .inherited = {}}).Hear(), "1");
}

TEST(ChildTest, InheritsOneDescriptorOnce) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  ASSERT_EQ(write(writing.get(), "text", 4), 4);
  writing.Close();
  EXPECT_EQ(Child::Start("reads_inherited", {}, {.environment = {}, .inherited = reading}).Hear(), "text");
  EXPECT_EQ(Child::Start("reads_inherited").Hear(), "nothing");
}

TEST(ChildTest, IsKilledAndReaped) {
  Child child = Child::Start("echo");
  const pid_t pid = child.pid();
  child.Kill();
  EXPECT_TRUE(IsReaped(pid));
}

TEST(ChildTest, IsKilledOnceAndNobodyElseIs) {
  Child child = Child::Start("echo");
  Child other = Child::Start("echo");
  child.Kill();
  child.Kill();
  other.Tell("alive");
  EXPECT_EQ(other.Hear(), "alive");
}

TEST(ChildDeathTest, OneThatHasGoneIsNotSignalledOrWaitedFor) {
  Child child = Child::Start("echo");
  child.Kill();
  EXPECT_DEATH(child.Stop(), "signal a child that was waited for");
  EXPECT_DEATH(child.Continue(), "signal a child that was waited for");
  EXPECT_DEATH(child.Wait(), "wait for a child that was waited for");
}

TEST(ChildTest, ItsEndIsThatOfTheObject) {
  pid_t pid;
  {
    Child child = Child::Start("echo");
    pid = child.pid();
    const Child moved = std::move(child);
    EXPECT_FALSE(IsReaped(pid));
  }
  EXPECT_TRUE(IsReaped(pid));
}

TEST(ChildTest, IsLeftAZombieWhenItsEndIsWaitedFor) {
  Child child = Child::Start("returns_7");
  child.WaitUntilEnded();
  ASSERT_OK_AND_ASSIGN(const PidFd zombie, PidFd::Open(child.pid()));
  EXPECT_TRUE(zombie.HasEnded());
  EXPECT_EQ(child.Wait(), 7);
}

TEST(ChildTest, StopsAndContinues) {
  Child child = Child::Start("echo");
  child.Stop();
  child.Tell("later");
  child.Continue();
  EXPECT_EQ(child.Hear(), "later");
}

// No stray processes where a test is killed.
TEST(ChildTest, DiesWithItsParent) {
  Child parent = Child::Start("parent_of_echo");
  pid_t pid;
  ASSERT_TRUE(absl::SimpleAtoi(parent.Hear(), &pid));
  ASSERT_OK_AND_ASSIGN(const PidFd grandchild, PidFd::Open(pid));
  EXPECT_FALSE(grandchild.HasEnded());
  parent.Kill();
  pollfd poll_fd = {.fd = grandchild.fd().get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))), 1);
}

TEST(ChildDeathTest, AnUnknownRoleEndsIt) { EXPECT_EQ(Child::Start("no_such_role").Wait(), -SIGABRT); }

}  // namespace
}  // namespace ipc::testing
