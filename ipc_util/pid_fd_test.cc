#include "ipc_util/pid_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/named_socket.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using How = ProcessEnd::How;

// Lives until it is told otherwise; connects to the socket that it is given.
SLUICE_CHILD_ROLE(peer) {
  Fd socket;
  if (!arguments.empty()) socket = NamedSocket::ConnectTo(arguments[0]);
  TellParent("here");
  if (HearParent() == "close") {
    socket.Close();
    TellParent("closed");
    HearParent();
  }
  return 0;
}

// Ends with the code that it is told.
SLUICE_CHILD_ROLE(exits) {
  int code;
  return absl::SimpleAtoi(HearParent(), &code) ? code : 1;
}

// Has a child of its own, whose number it tells; reaps it when told so.
SLUICE_CHILD_ROLE(parent) {
  Child child = Child::Start("peer");
  TellParent(absl::StrCat(child.pid()));
  if (HearParent() == "reap") child.Wait();
  TellParent("reaped");
  HearParent();
  return 0;
}

// Says what a process inside a pid namespace sees of a peer outside.
SLUICE_CHILD_ROLE(namespace_maker) {
  if (unshare(CLONE_NEWPID) != 0) {
    TellParent("refused");
    return 0;
  }
  Child inside = Child::Start("inside", arguments);
  TellParent(inside.Hear());
  TellParent(inside.Hear());
  return 0;
}
SLUICE_CHILD_ROLE(inside) {
  const Fd socket = NamedSocket::ConnectTo(arguments[0]);
  const absl::StatusOr<PidFd> exact = PidFd::OfPeer(socket);
  TellParent(exact.ok() ? absl::StrCat("pid ", exact->pid()) : exact.status().ToString());
  const OsTesting os({FailCall("GetSockOpt", ENOPROTOOPT)});
  const absl::StatusOr<PidFd> by_number = PidFd::OfPeer(socket);
  TellParent(by_number.ok() ? (by_number->valid() ? "somebody" : "nobody") : by_number.status().ToString());
  return 0;
}

// Whether the kernel tells how a process ended that was reaped, and is nobody's child of ours.
bool KernelTellsOfReaped() {
  utsname system;
  int major = 0;
  int minor = 0;
  if (uname(&system) != 0 || std::sscanf(system.release, "%d.%d", &major, &minor) != 2) std::abort();
  return std::pair(major, minor) >= std::pair(6, 15);
}

// How a process ended that was reaped, if it was as `end`.
ProcessEnd Reaped(ProcessEnd end) { return KernelTellsOfReaped() ? end : ProcessEnd(); }

// Whether the process ends within the time limit.
bool Ends(const PidFd& process) {
  pollfd poll_fd = {.fd = process.fd().get(), .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))) == 1 && process.HasEnded();
}

TEST(PidFdTest, AnEmptyOneWatchesNobody) {
  const PidFd nobody;
  EXPECT_FALSE(nobody.valid());
  EXPECT_FALSE(nobody.fd().valid());
  EXPECT_EQ(nobody.pid(), 0);
  EXPECT_FALSE(nobody.HasEnded());
  EXPECT_EQ(nobody.End(), std::nullopt);
  EXPECT_EQ(nobody.WaitForEnd(Deadline::Never()), std::nullopt);
}

TEST(PidFdTest, SeesAnExit) {
  Child child = Child::Start("peer");
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
  EXPECT_TRUE(process.valid());
  EXPECT_EQ(process.pid(), child.pid());
  EXPECT_FALSE(process.HasEnded());
  EXPECT_EQ(process.End(), std::nullopt);
  child.Tell("exit");
  EXPECT_TRUE(Ends(process));
}

// F15: a zombie has ended, and so has one that was reaped.
TEST(PidFdTest, SeesAKill) {
  Child child = Child::Start("peer");
  const pid_t pid = child.pid();
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(pid));
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  EXPECT_TRUE(Ends(process));
  ASSERT_OK_AND_ASSIGN(const PidFd zombie, PidFd::Open(pid));
  EXPECT_TRUE(zombie.HasEnded());
  EXPECT_EQ(child.Wait(), -SIGKILL);
  EXPECT_TRUE(process.HasEnded());
  EXPECT_THAT(PidFd::Open(pid), StatusIs(absl::StatusCode::kUnavailable, HasSubstr(absl::StrCat("process ", pid))));
}

TEST(PidFdTest, AStoppedProcessHasNotEnded) {
  Child child = Child::Start("peer");
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
  child.Stop();
  EXPECT_FALSE(process.HasEnded());
}

TEST(PidFdTest, SaysWhatIsMissing) {
  {
    const OsTesting os({FailCall("PidFdOpen", ENOSYS)});
    EXPECT_THAT(PidFd::Open(getpid()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("Linux 5.10")));
  }
  const OsTesting os({FailCall("PidFdOpen", EMFILE)});
  EXPECT_THAT(PidFd::Open(getpid()), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
}

TEST(PidFdTest, AnInterruptedLookIsNoEnd) {
  ASSERT_OK_AND_ASSIGN(const PidFd self, PidFd::Open(getpid()));
  const OsTesting os({FailCall("Poll", EINTR)});
  EXPECT_FALSE(self.HasEnded());
  EXPECT_EQ(os.interventions(), 1);
}

// E6 of the features: as long as nobody has reaped it every kernel tells of an own child, later ones of all.
TEST(ProcessEndTest, AnExitIsToldWithItsCode) {
  for (const int code : {0, 1, 255}) {
    Child child = Child::Start("exits");
    ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
    child.Tell(absl::StrCat(code));
    const ProcessEnd end = {How::kExited, code};
    EXPECT_EQ(process.WaitForEnd(TimeLimit()), end);
    EXPECT_EQ(process.End(), end);
    EXPECT_EQ(child.Wait(), code);
    EXPECT_EQ(process.End(), Reaped(end));
    EXPECT_EQ(process.WaitForEnd(Deadline::Never()), Reaped(end));
  }
}

TEST(ProcessEndTest, ASignalIsToldWithItsNumber) {
  for (const int signal : {SIGKILL, SIGTERM, SIGUSR1}) {
    Child child = Child::Start("peer");
    ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
    ASSERT_EQ(child.Hear(), "here");
    ASSERT_EQ(kill(child.pid(), signal), 0);
    const ProcessEnd end = {How::kKilled, signal};
    EXPECT_EQ(process.WaitForEnd(TimeLimit()), end);
    EXPECT_EQ(child.Wait(), -signal);
    EXPECT_EQ(process.End(), Reaped(end));
  }
}

// Somebody else's child, as peers of a session are to each other: told once its parent has reaped it.
TEST(ProcessEndTest, TheEndOfAnothersChildIsToldWhenItWasReaped) {
  Child parent = Child::Start("parent");
  pid_t pid;
  ASSERT_TRUE(absl::SimpleAtoi(parent.Hear(), &pid));
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(pid));
  EXPECT_EQ(process.WaitForEnd(Deadline::Passed()), std::nullopt);
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  ASSERT_TRUE(Ends(process));
  EXPECT_EQ(process.End(), ProcessEnd());
  EXPECT_EQ(process.WaitForEnd(absl::Milliseconds(1)), ProcessEnd());
  std::thread teller([&] { parent.Tell("reap"); });
  EXPECT_EQ(process.WaitForEnd(TimeLimit()), Reaped({How::kKilled, SIGKILL}));
  teller.join();
  EXPECT_EQ(parent.Hear(), "reaped");
}

TEST(ProcessEndTest, WhoLivesIsWaitedForUntilTheDeadline) {
  Child child = Child::Start("peer");
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
  EXPECT_EQ(process.WaitForEnd(Deadline::Passed()), std::nullopt);
  EXPECT_EQ(process.WaitForEnd(absl::Milliseconds(1)), std::nullopt);
}

// F27
TEST(ProcessEndTest, InterruptionsAreNoEnd) {
  Child child = Child::Start("exits");
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
  const OsTesting os({FailCall("Poll", EINTR, {.times = 10})});
  std::thread teller([&] { child.Tell("7"); });
  EXPECT_EQ(process.WaitForEnd(TimeLimit()), (ProcessEnd{How::kExited, 7}));
  teller.join();
  EXPECT_EQ(os.interventions(), 10);
}

// N2: before Linux 6.13, the kernel tells of own children that were not reaped, and nothing else; it is not waited for.
TEST(ProcessEndTest, OldKernelsTellOfOwnChildrenOnly) {
  for (const int error : {ENOTTY, EINVAL, ESRCH}) {
    Child child = Child::Start("exits");
    ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
    child.Tell("3");
    ASSERT_TRUE(Ends(process));
    const OsTesting os({FailCall("Ioctl", error, {.times = kAlways})});
    EXPECT_EQ(process.End(), (ProcessEnd{How::kExited, 3}));
    EXPECT_EQ(child.Wait(), 3);
    EXPECT_EQ(process.End(), ProcessEnd());
    EXPECT_EQ(process.WaitForEnd(Deadline::Never()), ProcessEnd());
    EXPECT_EQ(os.interventions(), 2);
  }
}

// What waitid says before Linux 5.4, and of those who are not children.
TEST(ProcessEndTest, WithoutWaitidAReapedOneIsStillTold) {
  for (const int error : {EINVAL, ECHILD}) {
    Child child = Child::Start("exits");
    ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
    child.Tell("3");
    ASSERT_TRUE(Ends(process));
    const OsTesting os({FailCall("WaitId", error, {.times = kAlways})});
    EXPECT_EQ(process.End(), ProcessEnd());
    EXPECT_EQ(child.Wait(), 3);
    EXPECT_EQ(process.End(), Reaped({How::kExited, 3}));
    EXPECT_EQ(os.interventions(), 2);
  }
}

TEST(ProcessEndTest, IsAStatusWithItsReason) {
  const absl::Status killed = PeerEndedError({How::kKilled, 9}, 4711);
  EXPECT_THAT(killed, StatusIs(absl::StatusCode::kUnavailable, "the peer's process 4711 was killed by signal 9"));
  EXPECT_EQ(ReasonOf(killed), Reason::kKilled);
  const absl::Status exited = PeerEndedError({How::kExited, 0}, 4711);
  EXPECT_THAT(exited, StatusIs(absl::StatusCode::kUnavailable, "the peer's process 4711 exited with code 0"));
  EXPECT_EQ(ReasonOf(exited), Reason::kExited);
  const absl::Status unknown = PeerEndedError({}, 0);
  EXPECT_THAT(unknown, StatusIs(absl::StatusCode::kUnavailable, "the peer's process has ended"));
  EXPECT_EQ(ReasonOf(unknown), Reason::kGone);
}

class PeerPidFdTest : public ::testing::Test {
 protected:
  PeerPidFdTest() : child_(Child::Start("peer", {named_.path()})), socket_(named_.Accept()) {
    EXPECT_EQ(child_.Hear(), "here");
  }

  NamedSocket named_;
  Child child_;
  const Fd socket_;
};

// F14
TEST_F(PeerPidFdTest, SeesTheEndOfThePeer) {
  ASSERT_OK_AND_ASSIGN(const PidFd peer, PidFd::OfPeer(socket_));
  EXPECT_EQ(peer.pid(), child_.pid());
  EXPECT_FALSE(peer.HasEnded());
  ASSERT_EQ(kill(child_.pid(), SIGKILL), 0);
  EXPECT_TRUE(Ends(peer));
  child_.Wait();
  EXPECT_TRUE(peer.HasEnded());
}

// F14, S2: what it holds for a peer that was reaped, whose number may be another's, is never a live process.
TEST_F(PeerPidFdTest, AReapedPeerHasEnded) {
  child_.Kill();
  const absl::StatusOr<PidFd> peer = PidFd::OfPeer(socket_);
  if (peer.ok()) {
    EXPECT_TRUE(peer->HasEnded());
  } else {
    EXPECT_THAT(peer, StatusIs(absl::StatusCode::kUnavailable));
  }
}

// N2: before Linux 6.5.
TEST_F(PeerPidFdTest, FallsBackToThePid) {
  const OsTesting os({FailCall("GetSockOpt", ENOPROTOOPT)});
  ASSERT_OK_AND_ASSIGN(const PidFd peer, PidFd::OfPeer(socket_));
  EXPECT_EQ(os.calls("PidFdOpen"), 1);
  EXPECT_EQ(peer.pid(), child_.pid());
  EXPECT_FALSE(peer.HasEnded());
  child_.Kill();
  EXPECT_TRUE(Ends(peer));
}

TEST_F(PeerPidFdTest, TheFallbackSeesThatNobodyIsLeft) {
  child_.Kill();
  const OsTesting os({FailCall("GetSockOpt", ENOPROTOOPT)});
  EXPECT_THAT(PidFd::OfPeer(socket_), StatusIs(absl::StatusCode::kUnavailable));
}

// S2: with the other end closed, a live process of the peer's number may be a later one. (This one is not, but who
// knows?)
TEST_F(PeerPidFdTest, TheFallbackWatchesNobodyWhoMayBeAnother) {
  child_.Tell("close");
  ASSERT_EQ(child_.Hear(), "closed");
  const OsTesting os({FailCall("GetSockOpt", ENOPROTOOPT)});
  ASSERT_OK_AND_ASSIGN(const PidFd peer, PidFd::OfPeer(socket_));
  EXPECT_FALSE(peer.valid());
}

// N2: neither SO_PEERPIDFD nor pidfd_open.
TEST_F(PeerPidFdTest, TheFallbackSaysWhatIsMissing) {
  const OsTesting os({FailCall("GetSockOpt", ENOPROTOOPT), FailCall("PidFdOpen", ENOSYS)});
  EXPECT_THAT(PidFd::OfPeer(socket_), StatusIs(absl::StatusCode::kFailedPrecondition,
                                               AllOf(HasSubstr(absl::StrCat(child_.pid())), HasSubstr("Linux 5.10"))));
}

// No credentials, no watch; the descriptor that the kernel gave is closed.
TEST_F(PeerPidFdTest, WithoutCredentialsNothingIsHeld) {
  const World before = World::Now();
  const OsTesting os({FailCall("GetSockOpt", EINVAL, {.first = 2})});
  EXPECT_THAT(PidFd::OfPeer(socket_), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(os.interventions(), 1);
  EXPECT_EQ(World::Now(), before);
}

// F13, N1: a number of another namespace means nobody here; a pidfd does not need it.
TEST(PidFdTest, APeerOutsideThePidNamespace) {
  NamedSocket named;
  Child maker = Child::Start("namespace_maker", {named.path()});
  const std::string exact = maker.Hear();
  if (exact == "refused") GTEST_SKIP() << "SKIPPED: needs CAP_SYS_ADMIN, to make a pid namespace";
  EXPECT_EQ(exact, "pid 0");
  EXPECT_EQ(maker.Hear(), "nobody");
}

// What kernels say of a peer that was reaped: EINVAL since 6.5, ESRCH later.
TEST_F(PeerPidFdTest, EveryKernelsWordForAReapedPeerIsUnavailable) {
  for (const int error : {EINVAL, ESRCH}) {
    const OsTesting os({FailCall("GetSockOpt", error)});
    EXPECT_THAT(PidFd::OfPeer(socket_),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr(absl::StrCat("process ", child_.pid()))));
  }
}

TEST_F(PeerPidFdTest, SaysWhichLimitToRaise) {
  const OsTesting os({FailCall("GetSockOpt", EMFILE)});
  EXPECT_THAT(PidFd::OfPeer(socket_), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
}

TEST(PidFdTest, RefusesWhatHasNoPeer) {
  const Fd unconnected(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd reading(ends[0]);
  const Fd writing(ends[1]);
  for (const FdView fd : {unconnected.view(), reading.view(), FdView()}) {
    EXPECT_THAT(PidFd::OfPeer(fd), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace ipc::testing
