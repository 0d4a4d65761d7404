#include "ipc_session/internal/lane_space.h"

#include <cstdint>
#include <iterator>
#include <map>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_transport/internal/ring_layout.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::kMinRingBytes;
using ::ipc::internal::LaneBytes;
using ::ipc::internal::LanePlace;
using ::ipc::internal::LaneSpace;
using ::ipc::internal::OutboxLayout;
using ::testing::Optional;

TEST(LaneSpaceTest, BeginsWithTheLanesThatASessionStartsWith) {
  const OutboxLayout layout = OutboxLayout::For(0, 65536, 3);
  LaneSpace space(layout);
  for (size_t i = 0; i < 3; ++i) EXPECT_THAT(space.Take(65536), Optional(layout.first_lane(i)));
}

TEST(LaneSpaceTest, HoldsAsManyAsTheLayoutSays) {
  const OutboxLayout layout = OutboxLayout::For(1 << 20, 4096, 0);
  LaneSpace space(layout);
  for (uint64_t i = 0; i < layout.capacity(); ++i) EXPECT_NE(space.Take(4096), std::nullopt);
  EXPECT_EQ(space.Take(4096), std::nullopt);
  EXPECT_LT(space.free_bytes(), LaneBytes(4096));
}

TEST(LaneSpaceTest, AnOutboxWithoutLanesHasNone) {
  OutboxLayout layout = OutboxLayout::For(1 << 20, 4096, 0);
  layout.bytes = layout.lanes_offset;
  EXPECT_EQ(LaneSpace(layout).Take(4096), std::nullopt);
}

// Against a model: lanes lie in the outbox and apart, and once all are back the space is whole.
TEST(LaneSpaceTest, LanesNeverOverlapAndNothingIsLost) {
  const OutboxLayout layout = OutboxLayout::For(4 << 20, 4096, 0);
  LaneSpace space(layout);
  const uint64_t all = space.free_bytes();
  std::map<uint64_t, LanePlace> taken;
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    if (random() % 2 == 0 || taken.empty()) {
      const auto place = space.Take(kMinRingBytes << (random() % 7));
      if (!place.has_value()) continue;
      const auto [entry, is_new] = taken.emplace(place->offset, *place);
      ASSERT_TRUE(is_new);
      ASSERT_GE(place->offset, layout.lanes_offset);
      ASSERT_LE(place->offset + place->bytes(), layout.bytes);
      if (entry != taken.begin()) {
        const LanePlace& before = std::prev(entry)->second;
        ASSERT_LE(before.offset + before.bytes(), place->offset);
      }
      if (const auto next = std::next(entry); next != taken.end()) {
        ASSERT_LE(place->offset + place->bytes(), next->first);
      }
    } else {
      const auto victim = std::next(taken.begin(), static_cast<int>(random() % taken.size()));
      space.GiveBack(victim->second);
      taken.erase(victim);
    }
  }
  for (const auto& [offset, place] : taken) space.GiveBack(place);
  EXPECT_EQ(space.free_bytes(), all);
  EXPECT_THAT(space.Take(uint64_t{2} << 20), Optional(LanePlace{layout.lanes_offset, uint64_t{2} << 20}));
}

}  // namespace
}  // namespace ipc::testing
