#include "ipc_util/credentials.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/named_socket.h"
#include "ipc_util/testing/running_file.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/user.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

// Connects as another user, or becomes one afterwards.
SLUICE_CHILD_ROLE(connector) {
  if (arguments[1] == "before") BecomeUser(kOtherUid, kOtherGid);
  const Fd socket = NamedSocket::ConnectTo(arguments[0]);
  if (arguments[1] == "after") BecomeUser(kOtherUid, kOtherGid);
  TellParent("connected");
  HearParent();
  return 0;
}

// Looks, as another user, at what the process and the file are.
SLUICE_CHILD_ROLE(looker) {
  BecomeUser(kOtherUid, kOtherGid);
  pid_t pid;
  if (!absl::SimpleAtoi(arguments[0], &pid)) return 1;
  TellParent(ExecutableOf(pid).status().ToString());
  TellParent(ExecutableAt(arguments[1]).status().ToString());
  return 0;
}

SLUICE_CHILD_ROLE(waits) {
  HearParent();
  return 0;
}

TEST(CredentialsTest, OwnOnesAreThoseOfTheProcess) {
  const Credentials own = OwnCredentials();
  EXPECT_EQ(own, (Credentials{.pid = getpid(), .uid = geteuid(), .gid = getegid()}));
  EXPECT_NE(own, Credentials());
}

TEST(CredentialsTest, AreReadable) {
  EXPECT_EQ(ToString({.pid = 12, .uid = 1000, .gid = 1001}), "pid 12, uid 1000, gid 1001");
}

TEST(PeerCredentialsTest, AreThoseOfTheProcessThatConnected) {
  NamedSocket named;
  Child child = Child::Start("connector", {named.path(), "as it is"});
  const Fd socket = named.Accept();
  EXPECT_THAT(PeerCredentials(socket),
              IsOkAndHolds(Credentials{.pid = child.pid(), .uid = geteuid(), .gid = getegid()}));
}

// A1
TEST(PeerCredentialsTest, AreThoseOfAnotherUser) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  NamedSocket named;
  Child child = Child::Start("connector", {named.path(), "before"});
  const Fd socket = named.Accept();
  EXPECT_THAT(PeerCredentials(socket),
              IsOkAndHolds(Credentials{.pid = child.pid(), .uid = kOtherUid, .gid = kOtherGid}));
}

// F13: they are as they were when the connection was made.
TEST(PeerCredentialsTest, StayWhatTheyWere) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  NamedSocket named;
  Child child = Child::Start("connector", {named.path(), "after"});
  const Fd socket = named.Accept();
  ASSERT_EQ(child.Hear(), "connected");
  EXPECT_THAT(PeerCredentials(socket), IsOkAndHolds(Credentials{.pid = child.pid(), .uid = 0, .gid = 0}));
  child.Kill();
  EXPECT_THAT(PeerCredentials(socket), IsOk());
}

TEST(PeerCredentialsTest, RefusesWhatHasNoPeer) {
  const Fd unconnected(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const Fd other_kind(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Fd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (const FdView fd : {unconnected.view(), other_kind.view(), file.view(), FdView()}) {
    EXPECT_THAT(PeerCredentials(fd), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(ExecutableTest, IsTheSameFileByAnyName) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const TempDir folder;
  const std::string alias = folder.path() + "/alias";
  std::filesystem::create_symlink(self, alias);
  ASSERT_OK_AND_ASSIGN(const ExecutableId id, ExecutableAt(self));
  EXPECT_THAT(ExecutableAt(alias), IsOkAndHolds(id));
  EXPECT_THAT(ExecutableOf(getpid()), IsOkAndHolds(id));
  const Child child = Child::Start("waits");
  EXPECT_THAT(ExecutableOf(child.pid()), IsOkAndHolds(id));
  struct stat file;
  ASSERT_EQ(stat(self.c_str(), &file), 0);
  EXPECT_EQ(id, (ExecutableId{.device = file.st_dev, .inode = file.st_ino}));
}

// A2: a copy is another file.
TEST(ExecutableTest, ACopyIsAnother) {
  const TempDir folder;
  const std::string copy = folder.path() + "/copy";
  std::filesystem::copy_file("/proc/self/exe", copy);
  ASSERT_OK_AND_ASSIGN(const ExecutableId copied, ExecutableAt(copy));
  ASSERT_OK_AND_ASSIGN(const ExecutableId own, ExecutableOf(getpid()));
  EXPECT_NE(copied, own);
}

// A2, F16: an update puts another file at the path; what runs is the old one, which has no name.
TEST(ExecutableTest, AFileThatWasReplacedWhileItRanIsDeleted) {
  const TempDir folder;
  const std::string path = folder.path() + "/program";
  std::filesystem::copy_file("/bin/sleep", path);
  RunningFile running(path, {"program", "1000"});
  ASSERT_OK_AND_ASSIGN(const ExecutableId before, ExecutableOf(running.pid()));
  EXPECT_FALSE(before.deleted);
  EXPECT_THAT(ExecutableAt(path), IsOkAndHolds(before));
  std::filesystem::copy_file("/bin/sleep", folder.path() + "/update");
  std::filesystem::rename(folder.path() + "/update", path);
  ASSERT_OK_AND_ASSIGN(const ExecutableId after, ExecutableOf(running.pid()));
  EXPECT_TRUE(after.deleted);
  EXPECT_EQ(after, before);
  EXPECT_THAT(ExecutableAt(path), IsOkAndHolds(::testing::Ne(after)));
}

TEST(ExecutableTest, SaysThatThereIsNone) {
  EXPECT_THAT(ExecutableAt("/no/such/file"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("executable /no/such/file")));
}

// F16
TEST(ExecutableTest, AZombieHasNone) {
  Child child = Child::Start("waits");
  const pid_t pid = child.pid();
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(pid));
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  pollfd poll_fd = {.fd = process.fd().get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))), 1);
  EXPECT_THAT(ExecutableOf(pid), StatusIs(absl::StatusCode::kUnavailable));
  child.Wait();
  EXPECT_THAT(ExecutableOf(pid), StatusIs(absl::StatusCode::kUnavailable));
}

// F16
TEST(ExecutableTest, AnothersCannotBeRead) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  const TempDir folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0700), 0);
  Child looker = Child::Start("looker", {absl::StrCat(getpid()), folder.path() + "/file"});
  EXPECT_EQ(looker.Hear(), absl::StrCat("PERMISSION_DENIED: cannot read /proc/", getpid(),
                                        "/exe; needs the same uid or CAP_SYS_PTRACE"));
  EXPECT_THAT(looker.Hear(), HasSubstr("PERMISSION_DENIED"));
}

}  // namespace
}  // namespace ipc::testing
