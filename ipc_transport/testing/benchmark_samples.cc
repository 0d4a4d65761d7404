#include "ipc_transport/testing/benchmark_samples.h"

#include <algorithm>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

void Samples::Report(benchmark::State& state) {
  const size_t kept = std::min(count_, kCapacity);
  if (kept == 0) return;
  std::sort(nanos_.begin(), nanos_.begin() + kept);
  state.counters["p50_ns"] = nanos_[kept / 2];
  state.counters["p99_ns"] = nanos_[kept * 99 / 100];
  state.counters["p999_ns"] = nanos_[kept * 999 / 1000];
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
