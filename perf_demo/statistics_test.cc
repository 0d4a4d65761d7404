#include "perf_demo/statistics.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace cache_demo {
namespace {

void ExpectStatistics(const std::vector<uint64_t>& samples, uint64_t p50, uint64_t p99, uint64_t max) {
  const Statistics statistics = Summarize(samples);
  EXPECT_EQ(statistics.count, samples.size());
  EXPECT_EQ(statistics.p50, p50);
  EXPECT_EQ(statistics.p99, p99);
  EXPECT_EQ(statistics.max, max);
}

std::vector<uint64_t> Descending(uint64_t count) {
  std::vector<uint64_t> samples;
  for (uint64_t sample = count; sample > 0; --sample) samples.push_back(sample);
  return samples;
}

TEST(StatisticsTest, NoneAndFew) {
  ExpectStatistics({}, 0, 0, 0);
  ExpectStatistics({7}, 7, 7, 7);
  ExpectStatistics({9, 5}, 5, 9, 9);
  ExpectStatistics({3, 1, 2}, 2, 3, 3);
}

TEST(StatisticsTest, ManyInAnyOrder) {
  ExpectStatistics(Descending(100), 50, 99, 100);
  ExpectStatistics(Descending(101), 51, 100, 101);
  ExpectStatistics(Descending(10'000), 5'000, 9'900, 10'000);
}

}  // namespace
}  // namespace cache_demo
