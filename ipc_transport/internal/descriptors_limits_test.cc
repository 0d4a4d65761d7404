// The limits of a message, and those of a process and of a user, which a child can have without harm to others.

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
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

absl::StatusOr<bool> SendBy(FdView socket, const std::vector<FdView>& descriptors, Deadline deadline) {
  const std::byte byte = {};
  const Blob part(&byte, 1);
  return ::ipc::internal::SendPacketBy(socket, absl::MakeConstSpan(&part, 1), descriptors, deadline);
}

absl::StatusOr<ReceivedPacket> Receive(FdView socket, size_t buffer_bytes, std::vector<Fd>* descriptors) {
  std::vector<std::byte> buffer(buffer_bytes);
  iovec part = {.iov_base = buffer.data(), .iov_len = buffer.size()};
  return ::ipc::internal::ReceivePacket(socket, absl::MakeSpan(&part, 1), descriptors);
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
TEST(DescriptorsLimitsTest, WithoutRoomAllAreClosed) {
  const auto [here, there] = MakeSocketPair();
  const std::vector<FdView> ten(10, FdView(0));
  ASSERT_THAT(Send(here, 1, ten), IsOkAndHolds(true));
  Child child = Child::Start("crowded", {}, {.environment = {}, .inherited = there});
  EXPECT_THAT(child.Hear(), AllOf(HasSubstr("clean: RESOURCE_EXHAUSTED"), HasSubstr("RLIMIT_NOFILE")));
}

// Sends descriptors that nobody receives, until there is no room and for a while after; then waits for room.
SLUICE_CHILD_ROLE(unprivileged) {
  // A user of its own: the kernel counts per user, and other tests send descriptors too.
  BecomeUser(uid_t{100'000} + static_cast<uid_t>(getpid()), kOtherGid);
  const Fd socket = InheritedFd();
  const rlimit limit = {.rlim_cur = 64, .rlim_max = 64};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  const std::vector<FdView> some(8, FdView(0));
  absl::StatusOr<bool> sent = true;
  int packets = 0;
  for (; sent.ok() && *sent && packets < 1000; ++packets) sent = Send(socket, 1, some);
  TellParent(sent.ok() && !*sent ? "full" : sent.status().ToString());
  sent = SendBy(socket, some, absl::Milliseconds(3));
  TellParent(sent.ok() && !*sent ? "still full" : sent.status().ToString());
  sent = SendBy(socket, some, TimeLimit());
  TellParent(sent.ok() && *sent ? "sent" : sent.status().ToString());
  return 0;
}

// F12, D3
TEST(DescriptorsLimitsTest, TooManyInFlightIsNoRoom) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  const auto [here, there] = MakeSocketPair();
  Child child = Child::Start("unprivileged", {}, {.environment = {}, .inherited = here});
  ASSERT_EQ(child.Hear(), "full");
  ASSERT_EQ(child.Hear(), "still full");
  size_t packets = 0;
  for (std::vector<Fd> received;; received.clear()) {
    ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there, 1, &received));
    if (packet.kind != Kind::kPacket) break;
    ++packets;
  }
  EXPECT_GT(packets, 5u);
  EXPECT_LT(packets, 30u);
  EXPECT_EQ(child.Hear(), "sent");
}

// F12: with each tick, until there is room or the deadline has passed.
TEST(DescriptorsLimitsTest, TooManyInFlightIsTriedAgain) {
  const auto [here, there] = MakeSocketPair();
  {
    const OsTesting os({FailCall("SendMsg", ETOOMANYREFS, {.times = 3})});
    EXPECT_THAT(SendBy(here, {here}, TimeLimit()), IsOkAndHolds(true));
    EXPECT_EQ(os.calls("SendMsg"), 4);
    EXPECT_EQ(os.calls("Poll"), 3);
  }
  const OsTesting os({FailCall("SendMsg", ETOOMANYREFS, {.times = kAlways})});
  EXPECT_THAT(SendBy(here, {here}, Deadline::Passed()), IsOkAndHolds(false));
  EXPECT_EQ(os.calls("SendMsg"), 1);
  EXPECT_THAT(SendBy(here, {here}, absl::Milliseconds(3)), IsOkAndHolds(false));
}

}  // namespace
}  // namespace ipc::testing
