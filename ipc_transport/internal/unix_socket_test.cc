// What socket_listener_test does not see from above: names with strange bytes, failing calls, other users.

#include "ipc_transport/internal/unix_socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/user.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::AcceptFrom;
using ::ipc::internal::ConnectToListener;
using ::ipc::internal::ListenAt;
using ::testing::HasSubstr;
using ::testing::StartsWith;

SLUICE_CHILD_ROLE(other_user) {
  BecomeUser(kOtherUid, kOtherGid);
  TellParent(ConnectToListener(arguments[0], TimeLimit()).status().ToString());
  return 0;
}

class UnixSocketTest : public ::testing::Test {
 protected:
  bool Exists() const { return std::filesystem::exists(std::filesystem::symlink_status(path_)); }

  const TempDir folder_;
  const std::string path_ = folder_.path() + "/socket";
};

TEST_F(UnixSocketTest, SocketsAreCloseOnExecAndTheListenerDoesNotBlock) {
  ASSERT_OK_AND_ASSIGN(const Fd listener, ListenAt(path_, 0600, 1));
  ASSERT_OK_AND_ASSIGN(const Fd client, ConnectToListener(path_, TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const Fd server, AcceptFrom(listener, TimeLimit()));
  for (const Fd* const socket : {&listener, &client, &server}) {
    EXPECT_EQ(fcntl(socket->get(), F_GETFD), FD_CLOEXEC);
    EXPECT_EQ((fcntl(socket->get(), F_GETFL) & O_NONBLOCK) != 0, socket == &listener);
  }
}

TEST_F(UnixSocketTest, APathHasNoZeroInIt) {
  const std::string path = path_ + std::string("\0x", 2);
  EXPECT_THAT(ListenAt(path, 0600, 1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no zero")));
  EXPECT_THAT(ConnectToListener(path, TimeLimit()), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_FALSE(Exists());
}

// S3
TEST_F(UnixSocketTest, FollowsNoLink) {
  std::filesystem::create_symlink(folder_.path() + "/elsewhere", path_);
  EXPECT_THAT(ListenAt(path_, 0600, 1), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/elsewhere"));
}

// R2: each call in turn fails; neither descriptor nor name is left.
TEST_F(UnixSocketTest, ListenSurvivesEachFailingCall) {
  const World before = World::Now();
  for (const char* const function : {"Socket", "Fchmod", "Bind", "Chmod", "Listen"}) {
    const OsTesting os({FailCall(function, EMFILE)});
    EXPECT_THAT(ListenAt(path_, 0600, 1), StatusIs(absl::StatusCode::kResourceExhausted)) << function;
    EXPECT_EQ(os.interventions(), 1);
    EXPECT_FALSE(Exists()) << function;
    EXPECT_EQ(World::Now(), before) << function;
  }
}

// R2, F19: the client stays in the queue.
TEST_F(UnixSocketTest, AcceptWithoutDescriptorsLosesNobody) {
  ASSERT_OK_AND_ASSIGN(const Fd listener, ListenAt(path_, 0600, 1));
  ASSERT_OK_AND_ASSIGN(const Fd client, ConnectToListener(path_, TimeLimit()));
  for (const int error : {EMFILE, ENFILE, ENOMEM}) {
    const OsTesting os({FailCall("Accept", error)});
    EXPECT_THAT(AcceptFrom(listener, TimeLimit()), StatusIs(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_OK(AcceptFrom(listener, Deadline::Passed()));
}

// F27: and a client that went away in the queue is no error either.
TEST_F(UnixSocketTest, AcceptGoesOnAfterInterruptions) {
  ASSERT_OK_AND_ASSIGN(const Fd listener, ListenAt(path_, 0600, 1));
  ASSERT_OK_AND_ASSIGN(const Fd client, ConnectToListener(path_, TimeLimit()));
  const OsTesting os(
      {FailCall("Accept", EINTR), FailCall("Accept", ECONNABORTED, {.first = 2}), FailCall("Poll", EINTR)});
  EXPECT_OK(AcceptFrom(listener, TimeLimit()));
  EXPECT_EQ(os.interventions(), 3);
}

// F27
TEST_F(UnixSocketTest, ConnectGoesOnAfterInterruptions) {
  ASSERT_OK_AND_ASSIGN(const Fd listener, ListenAt(path_, 0600, 1));
  {
    const OsTesting os({FailCall("Connect", EINTR, {.times = 3})});
    EXPECT_OK(ConnectToListener(path_, TimeLimit()));
    EXPECT_EQ(os.calls("Connect"), 4);
  }
  const OsTesting os({FailCall("Connect", EINTR, {.times = kAlways})});
  EXPECT_THAT(ConnectToListener(path_, absl::Milliseconds(1)), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// R2
TEST_F(UnixSocketTest, ConnectSaysWhichLimitToRaise) {
  const OsTesting os({FailCall("Socket", EMFILE)});
  const absl::Status status = ConnectToListener(path_, TimeLimit()).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
  EXPECT_EQ(ReasonOf(status), Reason::kNone);
}

// F17, A6
TEST_F(UnixSocketTest, ModesKeepOthersOut) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  for (const mode_t mode : {0600, 0660}) {
    ASSERT_OK_AND_ASSIGN(const Fd listener, ListenAt(path_, mode, 1));
    EXPECT_THAT(Child::Start("other_user", {path_}).Hear(), StartsWith("PERMISSION_DENIED: connect to " + path_));
    ASSERT_EQ(unlink(path_.c_str()), 0);
  }
  ASSERT_OK_AND_ASSIGN(const Fd listener, ListenAt(path_, 0666, 1));
  EXPECT_EQ(Child::Start("other_user", {path_}).Hear(), "OK");
  ASSERT_EQ(chmod(folder_.path().c_str(), 0700), 0);
  EXPECT_THAT(Child::Start("other_user", {path_}).Hear(), StartsWith("PERMISSION_DENIED"));
}

}  // namespace
}  // namespace ipc::testing
