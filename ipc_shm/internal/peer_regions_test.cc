#include "ipc_shm/internal/peer_regions.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/limits.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::testing::ElementsAre;

constexpr uint32_t kFirst = SessionMemory::kFirstLaterRegion;

// They differ in their offsets.
RegionWindow WindowAt(size_t offset) {
  return {.region = std::make_shared<const Region>(), .offset = offset, .bytes = 1};
}

std::vector<size_t> OffsetsIn(const PeerRegions& regions) {
  std::vector<size_t> offsets;
  regions.ForEach([&](const RegionWindow& window) { offsets.push_back(window.offset); });
  return offsets;
}

TEST(PeerRegionsTest, AServersArenaMayBeThere) {
  const PeerRegions alone(WindowAt(1), RegionWindow());
  EXPECT_EQ(alone.Find(kSessionRegion)->value().offset, 1u);
  EXPECT_EQ(&alone.session(), &**alone.Find(kSessionRegion));
  EXPECT_EQ(alone.Find(kServerRegion), nullptr);
  EXPECT_EQ(alone.Find(kFirst), nullptr);
  EXPECT_THAT(OffsetsIn(alone), ElementsAre(1));
  const PeerRegions both(WindowAt(1), WindowAt(7));
  EXPECT_EQ(both.Find(kServerRegion)->value().offset, 7u);
  EXPECT_EQ(both.Find(kFirst), nullptr);
  EXPECT_THAT(OffsetsIn(both), ElementsAre(1, 7));
}

TEST(PeerRegionsTest, LaterOnesAreFoundOnceTheyAreThere) {
  PeerRegions regions(WindowAt(1), RegionWindow());
  regions.Add(absl::ResourceExhaustedError("no room"));
  EXPECT_EQ(regions.Find(kFirst + 1), nullptr);
  regions.Add(WindowAt(9));
  EXPECT_THAT(*regions.Find(kFirst), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(regions.Find(kFirst + 1)->value().offset, 9u);
  EXPECT_THAT(OffsetsIn(regions), ElementsAre(1, 9));
  for (uint32_t i = 2; i < kMaxLaterRegions; ++i) regions.Add(WindowAt(i));
  EXPECT_NE(regions.Find(kFirst + kMaxLaterRegions - 1), nullptr);
  EXPECT_EQ(regions.Find(kFirst + kMaxLaterRegions), nullptr);
  EXPECT_EQ(regions.Find(UINT32_MAX), nullptr);
}

}  // namespace
}  // namespace ipc::internal
