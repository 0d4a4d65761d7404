#include "perf_demo/statistics.h"

#include <cstddef>

#include "absl/algorithm/container.h"

namespace cache_demo {
namespace {

uint64_t Percentile(const std::vector<uint64_t>& sorted, size_t percent) {
  return sorted[(sorted.size() * percent + 99) / 100 - 1];
}

}  // namespace

Statistics Summarize(std::vector<uint64_t> samples) {
  if (samples.empty()) return {};
  absl::c_sort(samples);
  return {
      .count = samples.size(), .p50 = Percentile(samples, 50), .p99 = Percentile(samples, 99), .max = samples.back()};
}

}  // namespace cache_demo
