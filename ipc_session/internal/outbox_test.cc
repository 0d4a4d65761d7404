#include "ipc_session/internal/outbox.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/limits.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ipc::internal::LanePlace;
using ipc::internal::OutboxLayout;
using ipc::internal::OwnOutbox;
using ipc::internal::PeerOutbox;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

TEST(OutboxTest, TheOwnLayoutIsValidForEveryRing) {
  for (size_t bytes = ipc::internal::kMinRingBytes; bytes <= ipc::internal::kMaxRingBytes; bytes *= 2) {
    const OutboxLayout layout = OutboxLayout::For(0, bytes, 8);
    EXPECT_OK(Validate(layout)) << bytes;
    EXPECT_GE(layout.capacity(), 8u) << bytes;
    EXPECT_OK(Validate(layout.first_lane(layout.capacity() - 1), layout)) << bytes;
    EXPECT_THAT(Validate(layout.first_lane(layout.capacity()), layout), StatusIs(kDataLoss)) << bytes;
  }
}

TEST(OutboxTest, AChosenSizeIsRoundedUpToPages) { EXPECT_EQ(OutboxLayout::For(1000001, 4096, 0).bytes, 245u * 4096); }

// H3: and one past each end.
TEST(OutboxTest, ForgedLanesAreRefused) {
  const OutboxLayout layout = OutboxLayout::For(1 << 20, 4096, 0);
  const uint64_t last = layout.bytes - LanePlace{0, 8192}.bytes();
  EXPECT_OK(Validate(LanePlace{layout.lanes_offset, 8192}, layout));
  EXPECT_OK(Validate(LanePlace{last, 8192}, layout));
  for (const LanePlace& forged :
       {LanePlace{layout.lanes_offset - 4096, 4096}, LanePlace{last + 4096, 8192}, LanePlace{last - 1, 4096},
        LanePlace{layout.lanes_offset, 0}, LanePlace{layout.lanes_offset, 4097}, LanePlace{layout.lanes_offset, kHuge},
        LanePlace{layout.bytes, 4096}, LanePlace{kHuge - 4095, 4096}, LanePlace{0, 4096}}) {
    EXPECT_THAT(Validate(forged, layout), StatusIs(kDataLoss)) << forged.offset << " " << forged.ring_bytes;
  }
}

TEST(OutboxTest, ForgedLayoutsAreRefused) {
  const OutboxLayout good = OutboxLayout::For(1 << 20, 4096, 0);
  std::vector<OutboxLayout> forged;
  const auto forge = [&](auto change) {
    forged.push_back(good);
    change(forged.back());
  };
  for (const uint64_t value :
       {uint64_t{0}, uint64_t{4096}, good.lanes_offset - 4096, good.bytes + 1, kHuge, kHuge - 4095}) {
    forge([&](OutboxLayout& layout) { layout.bytes = value; });
  }
  for (const uint64_t value : {uint64_t{1}, good.bytes, good.bytes - 4096, good.lanes_offset, kHuge - 4095}) {
    forge([&](OutboxLayout& layout) { layout.counters_offset = value; });
  }
  for (const uint64_t value : {uint64_t{1}, good.bytes + 4096, good.counters_offset, kHuge - 4095}) {
    forge([&](OutboxLayout& layout) { layout.lanes_offset = value; });
  }
  for (const uint64_t value : {uint64_t{0}, uint64_t{2048}, uint64_t{4097}, uint64_t{1} << 31, kHuge}) {
    forge([&](OutboxLayout& layout) { layout.ring_bytes = value; });
  }
  forge([&](OutboxLayout& layout) { layout.reserved = 1; });
  for (const uint32_t value : {uint32_t{0}, good.loan_slots + 1, std::numeric_limits<uint32_t>::max()}) {
    forge([&](OutboxLayout& layout) { layout.loan_slots = value; });
  }
  for (const OutboxLayout& layout : forged) EXPECT_THAT(Validate(layout), StatusIs(kDataLoss)) << layout.bytes;
}

TEST(OutboxTest, ThePeerSeesLanesAndCountersAtTheirPlaces) {
  const OutboxLayout layout = OutboxLayout::For(1 << 20, 8192, 0);
  ASSERT_OK_AND_ASSIGN(const OwnOutbox own, OwnOutbox::Create(layout));
  own.InitLanes(2);
  ASSERT_OK_AND_ASSIGN(Fd fd, own.OpenReadOnly());
  ASSERT_OK_AND_ASSIGN(const PeerOutbox peer, PeerOutbox::Map(std::move(fd), layout));
  for (const size_t i : {size_t{0}, static_cast<size_t>(layout.capacity() - 1)}) {
    const LanePlace lane = layout.first_lane(i);
    ASSERT_EQ(own.lane(lane).size(), ipc::internal::LaneBytes(8192));
    ASSERT_EQ(peer.lane(lane).size(), ipc::internal::LaneBytes(8192));
    own.lane(lane).back() = static_cast<std::byte>(i + 1);
    EXPECT_EQ(peer.lane(lane).back(), static_cast<std::byte>(i + 1));
  }
  ASSERT_EQ(own.counters().size(), ipc::internal::kLoanSlots);
  ASSERT_EQ(peer.counters().size(), ipc::internal::kLoanSlots);
  own.counters().back().store(7, std::memory_order_relaxed);
  EXPECT_EQ(peer.counters().back().load(std::memory_order_relaxed), 7u);
  const auto finish_position = [&](size_t i) {
    const ipc::internal::PeerLane lane(peer.lane(layout.first_lane(i)));
    return lane.control.finish_position.load(std::memory_order_relaxed);
  };
  EXPECT_EQ(finish_position(1), ipc::internal::LaneControl::kNotFinished);
  EXPECT_EQ(finish_position(2), 0u);
}

TEST(OutboxTest, ALaneIsRenewedWhateverWasInIt) {
  const OutboxLayout layout = OutboxLayout::For(1 << 20, 4096, 0);
  ASSERT_OK_AND_ASSIGN(const OwnOutbox own, OwnOutbox::Create(layout));
  const LanePlace place = {.offset = layout.lanes_offset + 4096, .ring_bytes = 8192};
  std::memset(own.lane(place).data(), 0xff, place.bytes());
  own.RenewLane(place);
  const ipc::internal::OwnLane lane(own.lane(place));
  EXPECT_EQ(lane.control.finish_position.load(std::memory_order_relaxed), ipc::internal::LaneControl::kNotFinished);
  EXPECT_EQ(lane.control.closed.load(std::memory_order_relaxed), 0u);
  EXPECT_EQ(lane.control.read_position.load(std::memory_order_relaxed), 0u);
  EXPECT_EQ(lane.control.receive_sleep.load(std::memory_order_relaxed), 0u);
  EXPECT_EQ(reinterpret_cast<const std::atomic<uint64_t>*>(lane.ring.data())->load(std::memory_order_relaxed), 0u);
}

// R17
TEST(OutboxTest, TakesMemoryOnlyForWhatIsUsed) {
  ASSERT_OK_AND_ASSIGN(const OwnOutbox own, OwnOutbox::Create(OutboxLayout::For(0, ipc::internal::kMaxRingBytes, 1)));
  own.InitLanes(1);
  ASSERT_OK_AND_ASSIGN(Fd fd, own.OpenReadOnly());
  ASSERT_OK_AND_ASSIGN(const Region region,
                       Region::Map(std::move(fd), own.layout().bytes, Access::kReadOnly, Sharing::kOneWriter));
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(::testing::Le(64 * 1024)));
}

// D2
TEST(OutboxTest, OnlyTheRightKindOfRegionIsMapped) {
  const OutboxLayout layout = OutboxLayout::For(1 << 20, 4096, 0);
  ASSERT_OK_AND_ASSIGN(Region many_writers, Region::Create("test", layout.bytes, Sharing::kManyWriters));
  ASSERT_OK_AND_ASSIGN(Region short_one, Region::Create("test", layout.bytes - 4096, Sharing::kOneWriter));
  ASSERT_OK_AND_ASSIGN(Region long_one, Region::Create("test", layout.bytes + 4096, Sharing::kOneWriter));
  for (const Region* region : {&many_writers, &short_one, &long_one}) {
    ASSERT_OK_AND_ASSIGN(Fd fd, Duplicate(region->fd()));
    EXPECT_THAT(PeerOutbox::Map(std::move(fd), layout), StatusIs(kDataLoss));
  }
  EXPECT_THAT(PeerOutbox::Map(Fd(), layout), StatusIs(kDataLoss));
  ASSERT_OK_AND_ASSIGN(Region good, Region::Create("test", layout.bytes, Sharing::kOneWriter));
  ASSERT_OK_AND_ASSIGN(Fd fd, Duplicate(good.fd()));
  OutboxLayout forged = layout;
  forged.loan_slots = 1;
  EXPECT_THAT(PeerOutbox::Map(std::move(fd), forged), StatusIs(kDataLoss));
}

}  // namespace
}  // namespace ipc::testing
