#include "ipc_util/internal/counter.h"

#include <cstdint>
#include <thread>

#include "gtest/gtest.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// One writes, one reads: tsan looks on.
TEST(CounterTest, IsReadWhileItCounts) {
  constexpr uint64_t kTimes = 10'000;
  Counter counter;
  EXPECT_EQ(counter.value(), 0u);
  std::thread writer([&] {
    for (uint64_t i = 0; i < kTimes; ++i) counter.Add(3);
  });
  for (uint64_t last = 0; last < 3 * kTimes;) {
    const uint64_t now = counter.value();
    EXPECT_GE(now, last);
    EXPECT_EQ(now % 3, 0u);
    last = now;
  }
  writer.join();
  EXPECT_EQ(counter.value(), 3 * kTimes);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
