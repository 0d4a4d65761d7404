#include "ipc_transport/internal/descriptors.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/user.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::ReceivedPacket;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Kind = ReceivedPacket::Kind;

// Sends `bytes` bytes with `descriptors`.
absl::StatusOr<bool> Send(FdView socket, size_t bytes, const std::vector<FdView>& descriptors = {}) {
  const std::vector<std::byte> packet(bytes);
  const Blob part(packet);
  return ::ipc::internal::SendPacket(socket, absl::MakeConstSpan(&part, 1), descriptors);
}

absl::StatusOr<ReceivedPacket> Receive(FdView socket, size_t buffer_bytes, std::vector<Fd>* descriptors) {
  std::vector<std::byte> buffer(buffer_bytes);
  iovec part = {.iov_base = buffer.data(), .iov_len = buffer.size()};
  return ::ipc::internal::ReceivePacket(socket, absl::MakeSpan(&part, 1), descriptors);
}

class DescriptorsTest : public ::testing::Test {
 protected:
  DescriptorsTest() { std::tie(here_, there_) = MakeSocketPair(); }

  // `count` times the same open file.
  std::vector<FdView> Some(size_t count) const { return std::vector<FdView>(count, null_.view()); }

  void ExpectPacket(size_t bytes, size_t descriptors) {
    std::vector<Fd> received;
    ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 100, &received));
    EXPECT_EQ(packet.kind, Kind::kPacket);
    EXPECT_EQ(packet.bytes, bytes);
    EXPECT_EQ(received.size(), descriptors);
    for (const Fd& fd : received) EXPECT_EQ(fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
  }

  const Fd null_{open("/dev/null", O_RDONLY | O_CLOEXEC)};
  Fd here_;
  Fd there_;
};

// F9
TEST_F(DescriptorsTest, CarriesUpToTheKernelsLimit) {
  for (const size_t count : {0, 1, 16, 17, 253}) {
    EXPECT_THAT(Send(here_, 1, Some(count)), IsOkAndHolds(true));
    ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, count));
  }
}

// F9, D3: an error here, and not a byte beyond the control message's buffer.
TEST_F(DescriptorsTest, RefusesMoreThanTheKernelTakes) {
  for (const size_t count : {254, 255, 1000}) {
    EXPECT_THAT(Send(here_, 1, Some(count)),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(absl::StrCat(count)), HasSubstr("253"))));
  }
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 100, &received));
  EXPECT_EQ(packet.kind, Kind::kNone);
}

TEST_F(DescriptorsTest, PartsAreOnePacket) {
  const std::string texts[] = {"ab", "", "cde"};
  std::vector<Blob> parts;
  for (const std::string& text : texts) {
    parts.emplace_back(reinterpret_cast<const std::byte*>(text.data()), text.size());
  }
  EXPECT_THAT(::ipc::internal::SendPacket(here_, parts, {}), IsOkAndHolds(true));
  char first[1];
  char rest[10];
  std::array<iovec, 2> into = {{{.iov_base = first, .iov_len = 1}, {.iov_base = rest, .iov_len = 10}}};
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet,
                       ::ipc::internal::ReceivePacket(there_, absl::MakeSpan(into), &received));
  EXPECT_EQ(packet.bytes, 5u);
  EXPECT_EQ(std::string(first, 1) + std::string(rest, 4), "abcde");
}

// F11: each packet has its own, whatever came before and behind.
TEST_F(DescriptorsTest, DescriptorsStayWithTheirPacket) {
  std::minstd_rand random(1);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::pair<size_t, size_t>> packets;
    for (int i = 0; i < 20; ++i) packets.emplace_back(1 + random() % 100, random() % 4);
    for (const auto& [bytes, count] : packets) EXPECT_THAT(Send(here_, bytes, Some(count)), IsOkAndHolds(true));
    for (const auto& [bytes, count] : packets) ASSERT_NO_FATAL_FAILURE(ExpectPacket(bytes, count));
  }
}

TEST_F(DescriptorsTest, RefusesWhatIsNotOpen) {
  const World before = World::Now();
  EXPECT_THAT(Send(here_, 1, {null_, FdView()}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not open")));
  EXPECT_THAT(Send(here_, 1, {FdView(1'000'000)}), StatusIs(absl::StatusCode::kInvalidArgument));
  const Fd unconnected(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  EXPECT_THAT(Send(unconnected, 1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not connected")));
  EXPECT_EQ(World::Now().descriptors.size(), before.descriptors.size() + 1);
}

TEST_F(DescriptorsTest, RefusesAPacketThatNoSocketTakes) {
  EXPECT_THAT(Send(here_, 64 * 1024 * 1024), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(DescriptorsTest, NothingThereIsNoError) {
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
  EXPECT_EQ(packet.kind, Kind::kNone);
}

// F22
TEST_F(DescriptorsTest, AFullSocketSaysSo) {
  absl::StatusOr<bool> sent = true;
  size_t count = 0;
  while (sent.ok() && *sent && ++count < 1'000'000) sent = Send(here_, 1);
  EXPECT_THAT(sent, IsOkAndHolds(false));
  ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, 0));
  EXPECT_THAT(Send(here_, 1), IsOkAndHolds(true));
}

// D1: neither bytes nor descriptors of a packet that is too long.
TEST_F(DescriptorsTest, ALongerPacketIsDataLossAndItsDescriptorsAreClosed) {
  const World before = World::Now();
  EXPECT_THAT(Send(here_, 101, Some(3)), IsOkAndHolds(true));
  std::vector<Fd> received;
  EXPECT_THAT(Receive(there_, 100, &received), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_TRUE(received.empty());
  EXPECT_EQ(World::Now(), before);
}

// F27: as if the kernel had cut it.
TEST_F(DescriptorsTest, APacketThatIsCutIsDataLoss) {
  const World before = World::Now();
  EXPECT_THAT(Send(here_, 10, Some(2)), IsOkAndHolds(true));
  const OsTesting os({CutCall("RecvMsg", 1)});
  std::vector<Fd> received;
  EXPECT_THAT(Receive(there_, 100, &received), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(World::Now(), before);
}

// F27
TEST_F(DescriptorsTest, InterruptedCallsAreRepeated) {
  const OsTesting os({FailCall("SendMsg", EINTR, {.times = 100}), FailCall("RecvMsg", EINTR, {.times = 100})});
  EXPECT_THAT(Send(here_, 1, Some(2)), IsOkAndHolds(true));
  ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, 2));
  EXPECT_EQ(os.interventions(), 200);
}

TEST_F(DescriptorsTest, ClosingIsTheEnd) {
  EXPECT_THAT(Send(here_, 1), IsOkAndHolds(true));
  here_.Close();
  ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, 0));
  std::vector<Fd> received;
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
    EXPECT_EQ(packet.kind, Kind::kEnd);
  }
}

// F21: no signal, whatever is set.
TEST_F(DescriptorsTest, SendingToNobodyIsUnavailable) {
  signal(SIGPIPE, SIG_DFL);
  there_.Close();
  EXPECT_THAT(Send(here_, 1), StatusIs(absl::StatusCode::kUnavailable));
}

// F23: the kernel reports the reset once, before what the peer left.
TEST_F(DescriptorsTest, AResetHidesNothing) {
  EXPECT_THAT(Send(there_, 1), IsOkAndHolds(true));
  EXPECT_THAT(Send(here_, 2, Some(1)), IsOkAndHolds(true));
  here_.Close();
  ASSERT_NO_FATAL_FAILURE(ExpectPacket(2, 1));
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
  EXPECT_EQ(packet.kind, Kind::kEnd);
}

// D1: no packet of Sluice is empty; what came with it is closed.
TEST_F(DescriptorsTest, AnEmptyPacketIsTheEnd) {
  const World before = World::Now();
  EXPECT_THAT(Send(here_, 0, Some(2)), IsOkAndHolds(true));
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
  EXPECT_EQ(packet.kind, Kind::kEnd);
  EXPECT_TRUE(received.empty());
  EXPECT_EQ(World::Now(), before);
}

// D1: control messages of other kinds beside the descriptors.
TEST_F(DescriptorsTest, OtherControlMessagesDoNoHarm) {
  const int on = 1;
  ASSERT_EQ(setsockopt(there_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
  EXPECT_THAT(Send(here_, 1, Some(16)), IsOkAndHolds(true));
  ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, 16));
}

// Receives one packet with room for four descriptors in the process.
SLUICE_CHILD_ROLE(crowded) {
  const Fd socket = InheritedFd();
  const World before = World::Now();
  const rlimit limit = {.rlim_cur = before.descriptors.size() + 4, .rlim_max = 1024};
  // Numbers count, not descriptors: fill the gaps below.
  std::vector<Fd> gaps;
  for (Fd fd(dup(0)); static_cast<size_t>(fd.get()) < before.descriptors.size(); fd = Fd(dup(0))) {
    gaps.push_back(std::move(fd));
  }
  const World crowded = World::Now();
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  std::vector<Fd> received;
  const std::string status = Receive(socket, 100, &received).status().ToString();
  const rlimit more = {.rlim_cur = 1024, .rlim_max = 1024};
  setrlimit(RLIMIT_NOFILE, &more);
  TellParent(absl::StrCat(World::Now() == crowded && received.empty() ? "clean: " : "leaks: ", status));
  return 0;
}

// F10, R2: part of them arrived; all are closed.
TEST_F(DescriptorsTest, WithoutRoomAllAreClosed) {
  ASSERT_THAT(Send(here_, 1, Some(10)), IsOkAndHolds(true));
  Child child = Child::Start("crowded", {}, {.environment = {}, .inherited = there_});
  EXPECT_THAT(child.Hear(), AllOf(HasSubstr("clean: RESOURCE_EXHAUSTED"), HasSubstr("RLIMIT_NOFILE")));
}

// Sends descriptors that nobody receives, until there is no room; then, once they were received, some more.
SLUICE_CHILD_ROLE(unprivileged) {
  BecomeUser(kOtherUid, kOtherGid);
  const Fd socket = InheritedFd();
  const rlimit limit = {.rlim_cur = 64, .rlim_max = 64};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  const std::vector<FdView> some(8, FdView(0));
  absl::StatusOr<bool> sent = true;
  int packets = 0;
  for (; sent.ok() && *sent && packets < 1000; ++packets) sent = Send(socket, 1, some);
  TellParent(sent.ok() && !*sent ? "full" : sent.status().ToString());
  if (HearParent() != "read") return 1;
  sent = Send(socket, 1, some);
  TellParent(sent.ok() && *sent ? "sent" : sent.status().ToString());
  return 0;
}

// F12, D3
TEST_F(DescriptorsTest, TooManyInFlightIsNoRoom) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  Child child = Child::Start("unprivileged", {}, {.environment = {}, .inherited = here_});
  ASSERT_EQ(child.Hear(), "full");
  size_t packets = 0;
  for (std::vector<Fd> received;; received.clear()) {
    ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
    if (packet.kind != Kind::kPacket) break;
    ++packets;
  }
  EXPECT_GT(packets, 5u);
  EXPECT_LT(packets, 30u);
  child.Tell("read");
  EXPECT_EQ(child.Hear(), "sent");
}

}  // namespace
}  // namespace ipc::testing
