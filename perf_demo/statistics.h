// What is told of many durations.

#ifndef SLUICE_PERF_DEMO_STATISTICS_H_
#define SLUICE_PERF_DEMO_STATISTICS_H_

#include <cstdint>
#include <vector>

namespace cache_demo {

struct Statistics {
  uint64_t count = 0;
  uint64_t p50 = 0;
  uint64_t p99 = 0;
  uint64_t max = 0;
};

// A percentile is the smallest sample that at least so many percent of all do not exceed. All zero for no samples.
Statistics Summarize(std::vector<uint64_t> samples);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_STATISTICS_H_
