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

using ipc::internal::OutboxLayout;
using ipc::internal::OwnOutbox;
using ipc::internal::PeerOutbox;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

TEST(OutboxTest, TheOwnLayoutIsValidForEveryRing) {
  for (size_t bytes = ipc::internal::kMinRingBytes; bytes <= ipc::internal::kMaxRingBytes; bytes *= 2) {
    EXPECT_OK(Validate(OutboxLayout::For(bytes))) << bytes;
  }
}

TEST(OutboxTest, ForgedLayoutsAreRefused) {
  const OutboxLayout good = OutboxLayout::For(4096);
  std::vector<OutboxLayout> forged;
  const auto forge = [&](auto change) {
    forged.push_back(good);
    change(forged.back());
  };
  for (const uint64_t value : {uint64_t{0}, uint64_t{4096}, good.bytes - 4096, good.bytes + 1, kHuge, kHuge - 4095}) {
    forge([&](OutboxLayout& layout) { layout.bytes = value; });
  }
  for (const uint64_t value : {uint64_t{1}, good.bytes, good.bytes - 4096, good.lanes_offset, kHuge - 4095}) {
    forge([&](OutboxLayout& layout) { layout.counters_offset = value; });
  }
  for (const uint64_t value : {uint64_t{1}, good.lanes_offset + 4096, good.bytes, good.counters_offset, kHuge - 4095}) {
    forge([&](OutboxLayout& layout) { layout.lanes_offset = value; });
  }
  for (const uint64_t value : {uint64_t{0}, uint64_t{2048}, uint64_t{4097}, uint64_t{8192}, uint64_t{1} << 31, kHuge}) {
    forge([&](OutboxLayout& layout) { layout.ring_bytes = value; });
  }
  for (const uint32_t value : {uint32_t{65}, std::numeric_limits<uint32_t>::max()}) {
    forge([&](OutboxLayout& layout) { layout.lanes = value; });
  }
  for (const uint32_t value : {uint32_t{0}, good.loan_slots + 1, std::numeric_limits<uint32_t>::max()}) {
    forge([&](OutboxLayout& layout) { layout.loan_slots = value; });
  }
  for (const OutboxLayout& layout : forged) EXPECT_THAT(Validate(layout), StatusIs(kDataLoss)) << layout.bytes;
}

TEST(OutboxTest, ThePeerSeesLanesAndCountersAtTheirPlaces) {
  ASSERT_OK_AND_ASSIGN(const OwnOutbox own, OwnOutbox::Create(8192));
  own.InitLanes(2);
  ASSERT_OK_AND_ASSIGN(Fd fd, own.OpenReadOnly());
  ASSERT_OK_AND_ASSIGN(const PeerOutbox peer, PeerOutbox::Map(std::move(fd), own.layout()));
  for (const size_t i : {0, 63}) {
    ASSERT_EQ(own.lane(i).size(), ipc::internal::LaneBytes(8192));
    ASSERT_EQ(peer.lane(i).size(), ipc::internal::LaneBytes(8192));
    own.lane(i).back() = static_cast<std::byte>(i + 1);
    EXPECT_EQ(peer.lane(i).back(), static_cast<std::byte>(i + 1));
  }
  ASSERT_EQ(own.counters().size(), ipc::internal::kLoanSlots);
  ASSERT_EQ(peer.counters().size(), ipc::internal::kLoanSlots);
  own.counters().back().store(7, std::memory_order_relaxed);
  EXPECT_EQ(peer.counters().back().load(std::memory_order_relaxed), 7u);
  EXPECT_EQ(ipc::internal::PeerLane(peer.lane(1)).control.finish_position.load(std::memory_order_relaxed),
            ipc::internal::LaneControl::kNotFinished);
  EXPECT_EQ(ipc::internal::PeerLane(peer.lane(2)).control.finish_position.load(std::memory_order_relaxed), 0u);
}

TEST(OutboxTest, TakesMemoryOnlyForWhatIsUsed) {
  ASSERT_OK_AND_ASSIGN(const OwnOutbox own, OwnOutbox::Create(ipc::internal::kMaxRingBytes));
  own.InitLanes(1);
  ASSERT_OK_AND_ASSIGN(Fd fd, own.OpenReadOnly());
  ASSERT_OK_AND_ASSIGN(const Region region,
                       Region::Map(std::move(fd), own.layout().bytes, Access::kReadOnly, Sharing::kOneWriter));
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(::testing::Le(64 * 1024)));
}

// D2
TEST(OutboxTest, OnlyTheRightKindOfRegionIsMapped) {
  const OutboxLayout layout = OutboxLayout::For(4096);
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
