#include "ipc_shm/internal/region_window.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

TEST(RegionWindowTest, ContainsWhatLiesInsideIt) {
  ASSERT_OK_AND_ASSIGN(Region region, Region::Create("window", 65536, Sharing::kManyWriters));
  const RegionWindow window = {
      .region = std::make_shared<const Region>(std::move(region)), .offset = 4096, .bytes = 8192};
  EXPECT_EQ(window.data(), window.region->data() + 4096);
  EXPECT_EQ(window.OffsetOf(window.data() + 8), 4104u);
  EXPECT_TRUE(window.Contains(4096, 8192));
  EXPECT_TRUE(window.Contains(12288, 0));
  EXPECT_TRUE(window.Contains(12280, 8));
  EXPECT_FALSE(window.Contains(4095, 1));
  EXPECT_FALSE(window.Contains(4096, 8193));
  EXPECT_FALSE(window.Contains(12280, 9));
  EXPECT_FALSE(window.Contains(12289, 0));
}

// H3: numbers of a hostile peer.
TEST(RegionWindowTest, IsNotFooledByOverflow) {
  ASSERT_OK_AND_ASSIGN(Region region, Region::Create("window", 65536, Sharing::kManyWriters));
  const RegionWindow window = {
      .region = std::make_shared<const Region>(std::move(region)), .offset = 4096, .bytes = 8192};
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  EXPECT_FALSE(window.Contains(kMax, 1));
  EXPECT_FALSE(window.Contains(4096, kMax));
  EXPECT_FALSE(window.Contains(kMax, kMax));
  EXPECT_FALSE(window.Contains(8192, kMax - 8191));
  EXPECT_FALSE(window.Contains(kMax - 4095, 4096 + 4096));
}

}  // namespace
}  // namespace ipc::internal
