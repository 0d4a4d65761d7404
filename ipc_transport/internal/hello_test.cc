#include "ipc_transport/internal/hello.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/named_socket.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::CheckCompanion;
using ::ipc::internal::ReceiveHello;
using ::ipc::internal::SendHello;
using ::ipc::internal::WatchPeer;
using ::testing::HasSubstr;

const std::array<std::byte, 5> kHello = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}};

TEST(HelloTest, OnlyASeqpacketSocketWillDo) {
  const auto [here, there] = MakeSocketPair();
  EXPECT_OK(CheckCompanion(here));
  const auto [stream, other] = MakeSocketPair(SOCK_STREAM);
  EXPECT_THAT(CheckCompanion(stream), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("SEQPACKET")));
  EXPECT_THAT(CheckCompanion(FdView()), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(HelloTest, ArrivesWithItsDescriptors) {
  const auto [here, there] = MakeSocketPair();
  const FdView descriptor = here;
  ASSERT_OK(SendHello(here, kHello, absl::MakeConstSpan(&descriptor, 1), TimeLimit()));
  std::array<std::byte, 8> buffer;
  std::vector<Fd> descriptors;
  EXPECT_THAT(ReceiveHello(there, absl::MakeSpan(buffer), &descriptors, Deadline::Passed()), IsOkAndHolds(5u));
  EXPECT_EQ(descriptors.size(), 1u);
}

TEST(HelloTest, OneThatIsTooLongIsDataLoss) {
  const auto [here, there] = MakeSocketPair();
  ASSERT_OK(SendHello(here, kHello, {}, TimeLimit()));
  std::array<std::byte, 4> buffer;
  std::vector<Fd> descriptors;
  EXPECT_THAT(ReceiveHello(there, absl::MakeSpan(buffer), &descriptors, TimeLimit()),
              StatusIs(absl::StatusCode::kDataLoss));
}

TEST(HelloTest, ASilentPeerIsWaitedForNoLongerThanTheDeadline) {
  const auto [here, there] = MakeSocketPair();
  std::array<std::byte, 4> buffer;
  std::vector<Fd> descriptors;
  EXPECT_THAT(ReceiveHello(there, absl::MakeSpan(buffer), &descriptors, Deadline::Passed()),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(ReceiveHello(there, absl::MakeSpan(buffer), &descriptors, absl::Milliseconds(1)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(HelloTest, APeerThatLeavesIsNoticed) {
  auto [here, there] = MakeSocketPair();
  here.Close();
  EXPECT_EQ(ReasonOf(SendHello(there, kHello, {}, TimeLimit())), Reason::kGone);
  std::array<std::byte, 4> buffer;
  std::vector<Fd> descriptors;
  const absl::Status gone = ReceiveHello(there, absl::MakeSpan(buffer), &descriptors, Deadline::Never()).status();
  EXPECT_THAT(gone, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(gone), Reason::kGone);
}

// F22
TEST(HelloTest, ASocketThatIsFullSaysSo) {
  const auto [here, there] = MakeSocketPair();
  absl::Status sent;
  while (sent.ok()) sent = SendHello(here, kHello, {}, Deadline::Passed());
  EXPECT_THAT(sent, StatusIs(absl::StatusCode::kResourceExhausted));
}

// F12, F27
TEST(HelloTest, RoomIsWaitedForAndInterruptionsAreNoMatter) {
  const auto [here, there] = MakeSocketPair();
  const OsTesting os({FailCall("SendMsg", ETOOMANYREFS, {.times = 3}), FailCall("RecvMsg", EAGAIN, {.times = 2}),
                      FailCall("Poll", EINTR, {.times = kAlways, .every = 2})});
  ASSERT_OK(SendHello(here, kHello, {}, TimeLimit()));
  std::array<std::byte, 8> buffer;
  std::vector<Fd> descriptors;
  EXPECT_THAT(ReceiveHello(there, absl::MakeSpan(buffer), &descriptors, TimeLimit()), IsOkAndHolds(5u));
  EXPECT_GE(os.interventions(), 6);
}

TEST(HelloTest, TheMakerOfAPairIsNotWatched) {
  const auto [here, there] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(const PidFd nobody, WatchPeer(here));
  EXPECT_FALSE(nobody.valid());
}

TEST(HelloTest, APeerOfANamedSocketIsWatched) {
  NamedSocket named;
  const Fd here = NamedSocket::ConnectTo(named.path());
  const Fd there = named.Accept();
  for (const FdView socket : {here.view(), there.view()}) {
    ASSERT_OK_AND_ASSIGN(const PidFd peer, WatchPeer(socket));
    EXPECT_TRUE(peer.valid());
    EXPECT_FALSE(peer.HasEnded());
  }
}

}  // namespace
}  // namespace ipc::testing
