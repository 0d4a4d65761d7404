#include "ipc_transport/internal/link.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
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
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::Link;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

std::shared_ptr<Link> MakeLink(Fd socket, PidFd peer = PidFd()) {
  return Link::Create(std::move(socket), std::move(peer)).value();
}

// A link, and the other end of its socket: a link too, or a stranger who sends packets made by hand.
class LinkTest : public ::testing::Test {
 protected:
  LinkTest() {
    auto [here, there] = MakeSocketPair();
    here_ = MakeLink(std::move(here));
    stranger_ = std::move(there);
  }

  std::shared_ptr<Link> MakeThere() { return MakeLink(std::move(stranger_)); }

  void SendByHand(const std::vector<uint8_t>& packet, size_t descriptors = 0) {
    const Blob part(reinterpret_cast<const std::byte*>(packet.data()), packet.size());
    ASSERT_THAT(::ipc::internal::SendPacket(stranger_, absl::MakeConstSpan(&part, 1),
                                            std::vector<FdView>(descriptors, stranger_.view())),
                IsOkAndHolds(true));
  }

  // type, version, count, reserved, channel (4), record (8).
  static std::vector<uint8_t> DescriptorsPacket(uint8_t count, uint8_t channel, uint8_t record) {
    return {3, 1, count, 0, channel, 0, 0, 0, record, 0, 0, 0, 0, 0, 0, 0};
  }

  std::shared_ptr<Link> here_;
  Fd stranger_;
};

TEST_F(LinkTest, ADoorbellEndsAWait) {
  const auto there = MakeThere();
  const uint64_t ticket = here_->Ticket();
  std::thread ringer([&] { there->RingDoorbell(); });
  EXPECT_OK(here_->Wait(ticket, TimeLimit()));
  EXPECT_NE(here_->Ticket(), ticket);
  ringer.join();
}

// A sleeper does not miss what came between its ticket and its wait, whoever read it.
TEST_F(LinkTest, ATicketThatIsOutOfDateIsNotWaitedFor) {
  const auto there = MakeThere();
  const uint64_t ticket = here_->Ticket();
  there->RingDoorbell();
  here_->Pump();
  EXPECT_OK(here_->Wait(ticket, Deadline::Passed()));
}

TEST_F(LinkTest, AWaitEndsWithItsDeadline) {
  EXPECT_THAT(here_->Wait(here_->Ticket(), Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(here_->Wait(here_->Ticket(), absl::Milliseconds(1)), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(LinkTest, OneDoorbellWakesAllSleepers) {
  const auto there = MakeThere();
  const uint64_t ticket = here_->Ticket();
  const auto wait = [&] { EXPECT_OK(here_->Wait(ticket, TimeLimit())); };
  std::thread first(wait);
  std::thread second(wait);
  there->RingDoorbell();
  first.join();
  second.join();
}

TEST_F(LinkTest, AnInterruptEndsAWaitOfThisSide) {
  const uint64_t ticket = here_->Ticket();
  std::thread interrupter([&] { here_->Interrupt(); });
  EXPECT_OK(here_->Wait(ticket, TimeLimit()));
  interrupter.join();
  EXPECT_FALSE(here_->ended());
}

// F22: a peer that reads nothing costs the ringer no time.
TEST_F(LinkTest, AFullSocketTakesNoMoreDoorbellsAndLosesNoWakeUp) {
  const auto there = MakeThere();
  for (int i = 0; i < 10'000; ++i) there->RingDoorbell();
  EXPECT_FALSE(there->ended());
  EXPECT_OK(here_->Wait(here_->Ticket(), TimeLimit()));
}

// F27
TEST_F(LinkTest, InterruptedCallsLoseNothing) {
  const OsTesting os({FailCall("Poll", EINTR, {.times = kAlways, .every = 2}),
                      FailCall("RecvMsg", EINTR, {.times = kAlways, .every = 2}),
                      FailCall("SendMsg", EINTR, {.times = kAlways, .every = 2})});
  const auto there = MakeThere();
  for (int i = 0; i < 10; ++i) {
    const uint64_t ticket = here_->Ticket();
    std::thread ringer([&] { there->RingDoorbell(); });
    EXPECT_OK(here_->Wait(ticket, TimeLimit()));
    ringer.join();
  }
  EXPECT_FALSE(here_->ended());
  EXPECT_GT(os.interventions(), 20);
}

TEST_F(LinkTest, TheGoodbyeIsTheReason) {
  auto there = MakeThere();
  there.reset();
  EXPECT_OK(here_->Wait(here_->Ticket(), TimeLimit()));
  EXPECT_TRUE(here_->ended());
  EXPECT_THAT(here_->end_status(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(here_->end_status()), Reason::kGoodbye);
}

TEST_F(LinkTest, TheEndOfTheSocketIsTheEnd) {
  stranger_.Close();
  here_->Pump();
  EXPECT_EQ(ReasonOf(here_->end_status()), Reason::kGone);
  EXPECT_OK(here_->Wait(here_->Ticket(), Deadline::Never()));
}

// A process is its own peer on a socket pair that it made; its end is not waited for.
TEST_F(LinkTest, ItDoesNotWaitForItsOwnProcess) {
  auto [here, there] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(PidFd self, PidFd::OfPeer(here));
  const auto link = MakeLink(std::move(here), std::move(self));
  there.Close();
  const OsTesting os;
  link->Pump();
  EXPECT_EQ(os.calls("Poll"), 1);
  EXPECT_EQ(ReasonOf(link->end_status()), Reason::kGone);
}

TEST_F(LinkTest, OnlyTheFirstEndCounts) {
  here_->End(absl::CancelledError("first"));
  here_->End(absl::DataLossError("second"));
  stranger_.Close();
  here_->Pump();
  EXPECT_THAT(here_->end_status(), StatusIs(absl::StatusCode::kCancelled, "first"));
}

TEST_F(LinkTest, EndingItWakesThisSide) {
  const uint64_t ticket = here_->Ticket();
  std::thread ender([&] { here_->End(absl::CancelledError("ended")); });
  EXPECT_OK(here_->Wait(ticket, TimeLimit()));
  ender.join();
  EXPECT_TRUE(here_->ended());
}

TEST_F(LinkTest, DescriptorsComeByChannelAndRecordInAnyOrder) {
  const auto there = MakeThere();
  const std::vector<FdView> views(3, FdView(0));
  EXPECT_THAT(there->SendDescriptors(1, 64, absl::MakeConstSpan(views).subspan(0, 1)), IsOkAndHolds(true));
  EXPECT_THAT(there->SendDescriptors(2, 64, absl::MakeConstSpan(views).subspan(0, 2)), IsOkAndHolds(true));
  EXPECT_THAT(there->SendDescriptors(1, 128, views), IsOkAndHolds(true));
  for (const auto& [channel, record, count] : {std::tuple(1, 128, 3), std::tuple(2, 64, 2), std::tuple(1, 64, 1)}) {
    ASSERT_OK_AND_ASSIGN(const std::vector<Fd> taken, here_->TakeDescriptors(channel, record, count));
    EXPECT_EQ(taken.size(), static_cast<size_t>(count));
  }
  EXPECT_FALSE(here_->ended());
}

// D1
TEST_F(LinkTest, DescriptorsThatWereNotAnnouncedSoAreDataLoss) {
  for (const auto& [channel, record, count] :
       {std::tuple(1, 64, 1), std::tuple(0, 64, 2), std::tuple(1, 0, 2), std::tuple(1, 64, 3)}) {
    auto [here, there] = MakeSocketPair();
    const auto link = MakeLink(std::move(here));
    const auto peer = MakeLink(std::move(there));
    const std::vector<FdView> views(2, FdView(0));
    ASSERT_THAT(peer->SendDescriptors(1, 64, views), IsOkAndHolds(true));
    EXPECT_THAT(link->TakeDescriptors(channel, record, count), StatusIs(kDataLoss, HasSubstr("without the")));
    EXPECT_THAT(link->end_status(), StatusIs(kDataLoss));
  }
}

TEST_F(LinkTest, TheReasonOfTheEndIsThatOfMissingDescriptors) {
  here_->End(absl::CancelledError("closed here"));
  EXPECT_THAT(here_->TakeDescriptors(1, 64, 1), StatusIs(absl::StatusCode::kCancelled, "closed here"));
}

TEST_F(LinkTest, UnclaimedDescriptorsAreClosedWithIt) {
  const World before = World::Now();
  {
    auto [here, there] = MakeSocketPair();
    const auto link = MakeLink(std::move(here));
    const auto peer = MakeLink(std::move(there));
    const std::vector<FdView> views(16, FdView(0));
    ASSERT_THAT(peer->SendDescriptors(1, 64, views), IsOkAndHolds(true));
    ASSERT_THAT(peer->SendDescriptors(1, 128, views), IsOkAndHolds(true));
    link->Pump();
  }
  EXPECT_EQ(World::Now(), before);
}

// M1, M2, M5, D1
TEST_F(LinkTest, APacketThatCannotBeEndsTheLink) {
  const std::vector<std::pair<std::vector<uint8_t>, size_t>> packets = {
      {{0}, 0},                                                  // No such type.
      {{4}, 0},                                                  // The same.
      {{255, 1, 2}, 0},                                          // The same.
      {{1, 0}, 0},                                               // A doorbell and more.
      {{1}, 1},                                                  // A doorbell with a descriptor.
      {{2, 0}, 0},                                               // A goodbye and more.
      {{2}, 1},                                                  // A goodbye with a descriptor.
      {{3}, 1},                                                  // Cut short.
      {{3, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1},        // The same.
      {{3, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1},  // Longer than any packet.
      {{3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1},     // Another version.
      {{3, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1},     // Reserved byte.
      {DescriptorsPacket(0, 0, 0), 0},                           // None.
      {DescriptorsPacket(1, 0, 0), 0},                           // Fewer than it says.
      {DescriptorsPacket(1, 0, 0), 2},                           // More than it says.
      {DescriptorsPacket(17, 0, 0), 17},                         // Too many.
  };
  for (const auto& [packet, descriptors] : packets) {
    auto [here, there] = MakeSocketPair();
    stranger_ = std::move(there);
    const World before = World::Now();
    const auto link = MakeLink(std::move(here));
    ASSERT_NO_FATAL_FAILURE(SendByHand(packet, descriptors));
    link->Pump();
    EXPECT_THAT(link->end_status(), StatusIs(kDataLoss)) << ::testing::PrintToString(packet);
    EXPECT_EQ(World::Now().descriptors.size(), before.descriptors.size() + 1) << ::testing::PrintToString(packet);
  }
}

// D3: a peer that sends descriptors without end is cut off, before this process runs out of them.
TEST_F(LinkTest, AFloodOfDescriptorsEndsTheLink) {
  constexpr rlim_t kNeeded = 5000;
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max < kNeeded) GTEST_SKIP() << "SKIPPED: needs a hard limit of 5000 open files";
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = std::max(before, kNeeded);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  int packets = 0;
  for (; !here_->ended() && packets < 1000; ++packets) {
    ASSERT_NO_FATAL_FAILURE(SendByHand(DescriptorsPacket(16, 0, static_cast<uint8_t>(packets)), 16));
    here_->Pump();
  }
  EXPECT_EQ(packets, 4096 / 16 + 1);
  EXPECT_THAT(here_->end_status(), StatusIs(kDataLoss, HasSubstr("4096 descriptors still waiting")));
  here_.reset();
  limit.rlim_cur = before;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

// R2
TEST(LinkFaultTest, CreateSaysWhichLimitToRaise) {
  auto [here, there] = MakeSocketPair();
  const OsTesting os({FailCall("EventFd", EMFILE)});
  EXPECT_THAT(Link::Create(std::move(here), PidFd()),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
}

}  // namespace
}  // namespace ipc::testing
