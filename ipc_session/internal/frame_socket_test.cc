#include "ipc_session/internal/frame_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/frames.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ipc::internal::ReceivedFrame;
using ipc::internal::ReceiveFrame;
using ipc::internal::SendFrame;
using ipc::internal::TryReceiveFrame;

SLUICE_CHILD_ROLE(bystander) {
  HearParent();
  return 0;
}

class FrameSocketTest : public ::testing::Test {
 protected:
  FrameSocketTest() {
    int sockets[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    here_ = Fd(sockets[0]);
    there_ = Fd(sockets[1]);
  }

  Fd here_, there_;
};

std::string Text(const ReceivedFrame& frame) {
  return std::string(reinterpret_cast<const char*>(frame.packet.data()), frame.packet.size());
}

// F12
TEST_F(FrameSocketTest, RoomIsWaitedForUntilTheDeadline) {
  const FdView descriptors[] = {here_};
  {
    const OsTesting os({FailCall("SendMsg", ETOOMANYREFS, {.times = 3})});
    EXPECT_OK(SendFrame(there_, "one", descriptors, TimeLimit()));
    EXPECT_EQ(os.calls("SendMsg"), 4);
  }
  const OsTesting os({FailCall("SendMsg", ETOOMANYREFS, {.times = kAlways})});
  EXPECT_THAT(SendFrame(there_, "two", descriptors, absl::Milliseconds(5)),
              StatusIs(absl::StatusCode::kResourceExhausted, ::testing::HasSubstr("RLIMIT_NOFILE")));
  EXPECT_GT(os.calls("SendMsg"), 1);
}

TEST_F(FrameSocketTest, FramesComeWholeAndInOrderWithTheirDescriptors) {
  const FdView descriptors[] = {here_, there_};
  ASSERT_OK(SendFrame(there_, "one", descriptors));
  ASSERT_OK(SendFrame(there_, "two"));
  ASSERT_OK_AND_ASSIGN(std::optional<ReceivedFrame> frame, TryReceiveFrame(here_));
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(Text(*frame), "one");
  EXPECT_EQ(frame->descriptors.size(), 2u);
  ASSERT_OK_AND_ASSIGN(const ReceivedFrame second, ReceiveFrame(here_, PidFd(), TimeLimit()));
  EXPECT_EQ(Text(second), "two");
  EXPECT_TRUE(second.descriptors.empty());
  EXPECT_THAT(TryReceiveFrame(here_), IsOkAndHolds(::testing::Eq(std::nullopt)));
}

// M3
TEST_F(FrameSocketTest, TheLargestFramePassesAndOneByteMoreIsRefused) {
  ASSERT_OK(SendFrame(there_, std::string(ipc::internal::kMaxFrameBytes, 'x')));
  ASSERT_OK(SendFrame(there_, std::string(ipc::internal::kMaxFrameBytes + 1, 'x')));
  EXPECT_OK(TryReceiveFrame(here_));
  EXPECT_THAT(TryReceiveFrame(here_), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(FrameSocketTest, DescriptorsOfARefusedFrameAreClosed) {
  const World before = World::Now();
  const FdView descriptors[] = {here_, there_};
  ASSERT_OK(SendFrame(there_, std::string(ipc::internal::kMaxFrameBytes + 1, 'x'), descriptors));
  EXPECT_THAT(TryReceiveFrame(here_), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(World::Now(), before);
}

TEST_F(FrameSocketTest, APeerThatClosesIsGone) {
  ASSERT_OK(SendFrame(there_, "last"));
  there_.Close();
  EXPECT_OK(ReceiveFrame(here_, PidFd(), TimeLimit()));
  EXPECT_EQ(ReasonOf(ReceiveFrame(here_, PidFd(), TimeLimit()).status()), Reason::kGone);
  EXPECT_EQ(ReasonOf(SendFrame(here_, "x")), Reason::kGone);
}

// F20: a forked child would keep the socket open; the process still tells.
TEST_F(FrameSocketTest, AKilledProcessIsGoneThoughItsSocketStaysOpen) {
  Child child = Child::Start("bystander");
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
  ASSERT_OK(SendFrame(there_, "last"));
  absl::Status status;
  std::thread receiver([&] {
    EXPECT_OK(ReceiveFrame(here_, process, TimeLimit()));
    status = ReceiveFrame(here_, process, TimeLimit()).status();
  });
  child.Kill();
  receiver.join();
  EXPECT_EQ(ReasonOf(status), Reason::kGone);
}

TEST_F(FrameSocketTest, ASilentPeerIsNotWaitedForLongerThanTheDeadline) {
  EXPECT_THAT(ReceiveFrame(here_, PidFd(), Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(FrameSocketTest, AFullSocketIsAnErrorAndNoWait) {
  absl::Status status;
  while (status.ok()) status = SendFrame(there_, std::string(ipc::internal::kMaxFrameBytes, 'x'));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace ipc::testing
