#include "ipc_util/pid_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/named_socket.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

// Lives until it is told otherwise; connects to the socket that it is given.
SLUICE_CHILD_ROLE(peer) {
  Fd socket;
  if (!arguments.empty()) socket = NamedSocket::ConnectTo(arguments[0]);
  TellParent("here");
  HearParent();
  return 0;
}

// Whether the process ends within the time limit.
bool Ends(const PidFd& process) {
  pollfd poll_fd = {.fd = process.fd().get(), .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))) == 1 && process.HasEnded();
}

TEST(PidFdTest, AnEmptyOneWatchesNobody) {
  const PidFd nobody;
  EXPECT_FALSE(nobody.valid());
  EXPECT_FALSE(nobody.fd().valid());
  EXPECT_FALSE(nobody.HasEnded());
}

TEST(PidFdTest, SeesAnExit) {
  Child child = Child::Start("peer");
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
  EXPECT_TRUE(process.valid());
  EXPECT_FALSE(process.HasEnded());
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
  EXPECT_FALSE(peer.HasEnded());
  child_.Kill();
  EXPECT_TRUE(Ends(peer));
}

TEST_F(PeerPidFdTest, TheFallbackSeesThatNobodyIsLeft) {
  child_.Kill();
  const OsTesting os({FailCall("GetSockOpt", ENOPROTOOPT)});
  EXPECT_THAT(PidFd::OfPeer(socket_), StatusIs(absl::StatusCode::kUnavailable));
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
