#include "ipc_transport/internal/ring_sender.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_transport/internal/ring_receiver.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/testing/lane_pair.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::kRoomWantedBit;
using ::ipc::internal::LaneControl;
using ::ipc::internal::RingReceiver;
using ::ipc::internal::RingSender;
using ::ipc::internal::RoomWish;
using ::testing::HasSubstr;

// With its commit word, the smallest record: one line. A ring of 4 KiB takes 63, as one line stays free.
constexpr size_t kLinePayload = 56;
constexpr int kLinesInRing = 63;

class RingSenderTest : public ::testing::Test {
 protected:
  absl::StatusOr<bool> TrySend(size_t bytes = kLinePayload, absl::Span<const FdView> descriptors = {}) {
    const std::vector<std::byte> payload(bytes, std::byte{7});
    const Blob part(payload);
    return sender_.TrySend(absl::MakeConstSpan(&part, 1), bytes, descriptors);
  }

  // How many records of `bytes` go until there is no room.
  int Fill(size_t bytes = kLinePayload) {
    for (int sent = 0;; ++sent) {
      const absl::StatusOr<bool> result = TrySend(bytes);
      EXPECT_OK(result);
      if (!result.ok() || !*result) return sent;
    }
  }

  // Receives `count` records.
  void Drain(int count) {
    std::vector<std::byte> buffer(kBufferBytes);
    for (int i = 0; i < count; ++i) {
      const auto received = receiver_.TryReceive(absl::MakeSpan(buffer), nullptr);
      ASSERT_OK(received);
      ASSERT_TRUE(received->has_value());
    }
  }

  bool RoomIsWanted() const { return (lanes_.a_seen().control.room_wish.load() & kRoomWantedBit) != 0; }

  static constexpr size_t kBufferBytes = 1024;
  const LanePair lanes_;
  RingSender sender_{lanes_.a_own(), lanes_.b_seen(), *lanes_.a_link, 0};
  RingReceiver receiver_{lanes_.b_own(), lanes_.a_seen(), *lanes_.b_link, 0};
};

TEST_F(RingSenderTest, AFullRingSaysSoAndWishesForRoom) {
  EXPECT_FALSE(RoomIsWanted());
  EXPECT_EQ(Fill(), kLinesInRing);
  EXPECT_TRUE(RoomIsWanted());
  EXPECT_FALSE(sender_.HasRoom());
  Drain(1);
  EXPECT_TRUE(sender_.HasRoom());
  EXPECT_FALSE(sender_.HasAmpleRoom());
  EXPECT_THAT(TrySend(), IsOkAndHolds(true));
  EXPECT_FALSE(RoomIsWanted());
}

TEST_F(RingSenderTest, AQuarterOfTheRingIsAmpleRoom) {
  Fill();
  Drain(14);
  EXPECT_TRUE(sender_.HasRoom());
  EXPECT_FALSE(sender_.HasAmpleRoom());
  Drain(1);
  EXPECT_TRUE(sender_.HasAmpleRoom());
}

TEST_F(RingSenderTest, TheLargestRecordFitsIntoAnEmptyRingFromAnywhere) {
  ASSERT_EQ(sender_.max_payload(), 1016u);
  for (int i = 0; i < 200; ++i) {
    ASSERT_THAT(TrySend(sender_.max_payload()), IsOkAndHolds(true)) << "after " << i << " lines";
    ASSERT_NO_FATAL_FAILURE(Drain(1));
    std::vector<std::byte> buffer(1);
    ASSERT_THAT(receiver_.TryReceive(absl::MakeSpan(buffer), nullptr), IsOk());  // Empty: publishes.
    ASSERT_THAT(TrySend(), IsOkAndHolds(true));
    ASSERT_NO_FATAL_FAILURE(Drain(1));
    ASSERT_THAT(receiver_.TryReceive(absl::MakeSpan(buffer), nullptr), IsOk());
  }
}

TEST_F(RingSenderTest, TheSmallerRingBoundsTheRecord) {
  const LanePair uneven(8192, 4096);
  const RingSender large(uneven.a_own(), uneven.b_seen(), *uneven.a_link, 0);
  const RingSender small(uneven.b_own(), uneven.a_seen(), *uneven.b_link, 0);
  EXPECT_EQ(large.max_payload(), 1016u);
  EXPECT_EQ(small.max_payload(), 1016u);
}

// M4: the peer's memory may hold anything; no such position is ever used.
TEST_F(RingSenderTest, AReadPositionBeyondTheEndIsDataLoss) {
  for (const uint64_t position :
       {uint64_t{64} * (kLinesInRing + 1), uint64_t{64} * kLinesInRing + 1, uint64_t{1} << 63, ~uint64_t{0}}) {
    const LanePair lanes;
    RingSender sender(lanes.a_own(), lanes.b_seen(), *lanes.a_link, 0);
    const std::byte line[kLinePayload] = {};
    const Blob part(line);
    for (int i = 0; i < kLinesInRing; ++i) {
      ASSERT_THAT(sender.TrySend(absl::MakeConstSpan(&part, 1), kLinePayload, {}), IsOkAndHolds(true));
    }
    lanes.b_own().control.read_position.store(position);
    EXPECT_TRUE(sender.HasRoom());  // An attempt tells.
    EXPECT_TRUE(sender.HasAmpleRoom());
    EXPECT_THAT(sender.TrySend(absl::MakeConstSpan(&part, 1), kLinePayload, {}),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("read position")));
  }
}

TEST_F(RingSenderTest, AReadPositionThatGoesBackIsDataLoss) {
  Fill();
  Drain(2);
  ASSERT_TRUE(sender_.HasRoom());
  Fill();
  lanes_.b_own().control.read_position.store(64);
  EXPECT_THAT(TrySend(), StatusIs(absl::StatusCode::kDataLoss));
}

// One wake per sleep, whatever number of records come meanwhile.
TEST_F(RingSenderTest, RingsOnceForEachSleep) {
  const OsTesting os;
  EXPECT_THAT(TrySend(), IsOkAndHolds(true));
  EXPECT_EQ(os.calls("SendMsg"), 0);
  for (int sleep = 1; sleep <= 2; ++sleep) {
    receiver_.BeginSleep();
    EXPECT_THAT(TrySend(), IsOkAndHolds(true));
    EXPECT_THAT(TrySend(), IsOkAndHolds(true));
    receiver_.EndSleep();
    EXPECT_THAT(TrySend(), IsOkAndHolds(true));
    EXPECT_EQ(os.calls("SendMsg"), sleep);
  }
}

TEST_F(RingSenderTest, WishesDifferFromEachOther) {
  std::vector<uint32_t> wishes;
  for (const RoomWish wish : {RoomWish::kWanted, RoomWish::kAsleep, RoomWish::kAsleep, RoomWish::kNone}) {
    sender_.Wish(wish);
    wishes.push_back(lanes_.a_seen().control.room_wish.load());
    EXPECT_EQ(wishes.back() & 3, static_cast<uint32_t>(wish));
  }
  EXPECT_NE(wishes[1], wishes[2]);
}

TEST_F(RingSenderTest, FinishPublishesTheEndAndRings) {
  ASSERT_THAT(TrySend(), IsOkAndHolds(true));
  EXPECT_EQ(lanes_.a_seen().control.finish_position.load(), LaneControl::kNotFinished);
  const OsTesting os;
  sender_.Finish();
  EXPECT_EQ(lanes_.a_seen().control.finish_position.load(), 64u);
  EXPECT_EQ(os.calls("SendMsg"), 1);
}

TEST_F(RingSenderTest, DescriptorsInFlightAreBounded) {
  const std::vector<FdView> views(16, FdView(0));
  for (size_t sent = 0; sent < RingSender::kMaxDescriptorsInFlight; sent += views.size()) {
    ASSERT_THAT(TrySend(1, views), IsOkAndHolds(true));
  }
  EXPECT_THAT(TrySend(1, views), IsOkAndHolds(false));
  EXPECT_FALSE(sender_.HasRoom());
  EXPECT_FALSE(sender_.link_was_full());
  Drain(1);
  EXPECT_TRUE(sender_.HasRoom());
  EXPECT_THAT(TrySend(1, views), IsOkAndHolds(true));
  // What carries none goes all the same.
  EXPECT_THAT(TrySend(1, views), IsOkAndHolds(false));
  EXPECT_THAT(TrySend(1), IsOkAndHolds(true));
}

// F12, F22: nothing was committed, and the same message goes later.
TEST_F(RingSenderTest, AFullLinkCommitsNothing) {
  const FdView view(0);
  for (const int error : {EAGAIN, ETOOMANYREFS}) {
    {
      const OsTesting os({FailCall("SendMsg", error)});
      EXPECT_THAT(TrySend(1, absl::MakeConstSpan(&view, 1)), IsOkAndHolds(false));
      EXPECT_TRUE(sender_.link_was_full());
      EXPECT_FALSE(receiver_.HasRecord());
    }
    EXPECT_THAT(TrySend(1, absl::MakeConstSpan(&view, 1)), IsOkAndHolds(true));
    EXPECT_FALSE(sender_.link_was_full());
    Drain(1);
  }
}

TEST_F(RingSenderTest, AFailingLinkCommitsNothing) {
  const FdView closed(1'000'000);
  EXPECT_THAT(TrySend(1, absl::MakeConstSpan(&closed, 1)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_FALSE(receiver_.HasRecord());
  EXPECT_THAT(TrySend(1), IsOkAndHolds(true));
  Drain(1);
}

TEST_F(RingSenderTest, ABatchIsPublishedAsAWhole) {
  const std::vector<std::byte> payload(kLinePayload, std::byte{7});
  const std::vector<Blob> batch(100, Blob(payload));
  EXPECT_THAT(sender_.TrySendBatch(batch), IsOkAndHolds(static_cast<size_t>(kLinesInRing)));
  EXPECT_FALSE(RoomIsWanted());
  EXPECT_THAT(sender_.TrySendBatch(batch), IsOkAndHolds(0u));
  EXPECT_TRUE(RoomIsWanted());
  Drain(kLinesInRing);
  // Around the end of the ring.
  const std::vector<std::byte> longer(3 * kLinePayload, std::byte{7});
  const std::vector<Blob> mixed = {longer, payload, longer, longer};
  for (int round = 0; round < 20; ++round) {
    for (size_t sent = 0; sent < mixed.size();) {
      ASSERT_OK_AND_ASSIGN(const size_t more, sender_.TrySendBatch(absl::MakeConstSpan(mixed).subspan(sent)));
      ASSERT_GT(more, 0u);
      sent += more;
    }
    ASSERT_NO_FATAL_FAILURE(Drain(4));
  }
  EXPECT_THAT(sender_.TrySendBatch({}), IsOkAndHolds(0u));
  EXPECT_EQ(receiver_.HasRecord(), false);
}

// A sleeper is woken once for all of it.
TEST_F(RingSenderTest, ABatchRingsOnce) {
  const std::vector<std::byte> payload(kLinePayload);
  const std::vector<Blob> batch(10, Blob(payload));
  receiver_.BeginSleep();
  const OsTesting os;
  EXPECT_THAT(sender_.TrySendBatch(batch), IsOkAndHolds(10u));
  EXPECT_EQ(os.calls("SendMsg"), 1);
}

TEST_F(RingSenderTest, ASmallerCommitStaysWhereTheRoomWas) {
  std::vector<std::byte> buffer(kBufferBytes);
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto room, sender_.TryReserve(900));
    ASSERT_TRUE(room.has_value());
    ASSERT_EQ(room->size(), 900u);
    EXPECT_EQ(sender_.reserved_bytes(), 900u);
    std::fill(room->begin(), room->end(), static_cast<std::byte>(i));
    ASSERT_FALSE(receiver_.HasRecord());
    ASSERT_THAT(sender_.TryCommit(5, {}), IsOkAndHolds(true));
    EXPECT_EQ(sender_.reserved_bytes(), std::nullopt);
    ASSERT_THAT(receiver_.TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(5u));
    EXPECT_EQ(buffer[4], static_cast<std::byte>(i));
    ASSERT_THAT(receiver_.TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(std::nullopt));
  }
}

TEST_F(RingSenderTest, ToldWhatThePeerHasNotTaken) {
  EXPECT_EQ(sender_.UnreadBytes(), 0u);
  Fill();
  EXPECT_EQ(sender_.UnreadBytes(), kLinesInRing * 64u);
  Drain(kLinesInRing);
  std::vector<std::byte> buffer(1);
  EXPECT_THAT(receiver_.TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(std::nullopt));
  EXPECT_EQ(sender_.UnreadBytes(), 0u);
  lanes_.b_own().control.read_position.store(~uint64_t{0});  // A figure of a hostile peer's harms nobody.
  EXPECT_LE(sender_.UnreadBytes(), 4096u);
}

}  // namespace
}  // namespace ipc::testing
