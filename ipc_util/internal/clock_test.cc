#include "ipc_util/internal/clock.h"

#include <cstdint>
#include <ctime>

#include "gtest/gtest.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

TEST(ClockTest, GoesOnAndTheCoarseOneLags) {
  const int64_t coarse = NowNanos(CLOCK_MONOTONIC_COARSE);
  const int64_t first = NowNanos();
  EXPECT_GT(coarse, 0);
  EXPECT_LE(coarse, first);
  while (NowNanos() == first) {
  }
  EXPECT_GT(NowNanos(), first);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
