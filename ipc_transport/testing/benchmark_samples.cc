#include "ipc_transport/testing/benchmark_samples.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

void Samples::Report(benchmark::State& state, absl::string_view prefix) {
  const size_t kept = std::min(count_, kCapacity);
  if (kept == 0) return;
  std::sort(nanos_.begin(), nanos_.begin() + kept);
  const auto set = [&](absl::string_view name, uint64_t nanos) { state.counters[absl::StrCat(prefix, name)] = nanos; };
  set("p50_ns", nanos_[kept / 2]);
  set("p99_ns", nanos_[kept * 99 / 100]);
  set("p999_ns", nanos_[kept * 999 / 1000]);
}

double Samples::Median() const {
  const size_t kept = std::min(count_, kCapacity);
  if (kept == 0) return 0;
  std::vector<uint64_t> sorted(nanos_.begin(), nanos_.begin() + kept);
  std::nth_element(sorted.begin(), sorted.begin() + kept / 2, sorted.end());
  return sorted[kept / 2];
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
