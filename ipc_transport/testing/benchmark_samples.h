// How the rows of a benchmark are timed, and what they report beside the mean.

#ifndef SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_SAMPLES_H_
#define SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"
#include "ipc_util/internal/clock.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// The last million durations.
class Samples {
 public:
  Samples() : nanos_(kCapacity) {}

  void Add(uint64_t nanos) { nanos_[count_++ % kCapacity] = nanos; }

  // Sets the counters p50_ns, p99_ns and p999_ns, each with `prefix` before it.
  void Report(benchmark::State& state, absl::string_view prefix = "");

  // In nanoseconds; 0: there are none.
  double Median() const;

 private:
  static constexpr size_t kCapacity = size_t{1} << 20;

  std::vector<uint64_t> nanos_;
  size_t count_ = 0;
};

// Times `round_trip` after some that are not timed: so many, but no more than can be had in so long.
template <typename RoundTrip>
void TimeRoundTrips(benchmark::State& state, RoundTrip round_trip) {
  constexpr int kWarmUp = 200;
  constexpr int64_t kWarmUpNanos = 100'000'000;
  const int64_t warm = ipc::internal::NowNanos() + kWarmUpNanos;
  for (int i = 0; i < kWarmUp && ipc::internal::NowNanos() < warm; ++i) round_trip();
  Samples samples;
  for (auto _ : state) {
    const int64_t begin = ipc::internal::NowNanos();
    round_trip();
    samples.Add(ipc::internal::NowNanos() - begin);
  }
  samples.Report(state);
}

// Times `send`, which sends `items`, and sets items_per_second: by the clock, not by the processor's time, which
// google benchmark would take.
template <typename Send>
void TimeStream(benchmark::State& state, size_t items, Send send) {
  const int64_t begin = ipc::internal::NowNanos();
  for (auto _ : state) send();
  state.counters["items_per_second"] = 1e9 * items * state.iterations() / (ipc::internal::NowNanos() - begin);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_SAMPLES_H_
