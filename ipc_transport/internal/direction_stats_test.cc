#include "ipc_transport/internal/direction_stats.h"

#include <cstddef>
#include <cstdint>
#include <thread>

#include "gtest/gtest.h"
#include "ipc_transport/counters.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

TEST(DirectionStatsTest, CountsBySizeClass) {
  DirectionStats stats;
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{2}, size_t{3}, size_t{0xffffffff}}) stats.CountMessage(bytes);
  const DirectionCounters counters = stats.Read();
  EXPECT_EQ(counters.messages, 5u);
  EXPECT_EQ(counters.bytes, uint64_t{6} + 0xffffffff);
  EXPECT_EQ(counters.sizes[0], 1u);
  EXPECT_EQ(counters.sizes[1], 1u);
  EXPECT_EQ(counters.sizes[2], 2u);
  EXPECT_EQ(counters.sizes[32], 1u);
}

TEST(DirectionStatsTest, CountsWaits) {
  DirectionStats stats;
  stats.CountRefusal();
  for (int i = 0; i < 2; ++i) stats.CountSpin();
  for (int i = 0; i < 3; ++i) stats.CountSleep();
  const DirectionCounters counters = stats.Read();
  EXPECT_EQ(counters.refused, 1u);
  EXPECT_EQ(counters.spins, 2u);
  EXPECT_EQ(counters.sleeps, 3u);
  EXPECT_EQ(counters.messages, 0u);
}

TEST(DirectionStatsTest, MayBeReadWhileItCounts) {
  constexpr uint64_t kMessages = 100'000;
  DirectionStats stats;
  std::thread counting([&] {
    for (uint64_t i = 0; i < kMessages; ++i) stats.CountMessage(1);
  });
  uint64_t seen = 0;
  while (seen < kMessages) {
    const uint64_t now = stats.Read().messages;
    ASSERT_GE(now, seen);
    seen = now;
  }
  counting.join();
  EXPECT_EQ(stats.Read().bytes, kMessages);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
