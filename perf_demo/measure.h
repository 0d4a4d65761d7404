// Asks for files many times, and takes the times.

#ifndef SLUICE_PERF_DEMO_MEASURE_H_
#define SLUICE_PERF_DEMO_MEASURE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "perf_demo/asker.h"
#include "perf_demo/choices.h"
#include "perf_demo/result.h"

namespace cache_demo {

struct MeasureOptions {
  // How many round trips are timed for each file. 0: as many as fit 2 s, but at least 3, and 1000 of a file of up to
  // 1 MB; at most 200 000.
  uint64_t iterations = 0;
  Verify verify = Verify::kAll;
};

// How many files `Measure` takes at a time.
inline constexpr size_t kMaxFilesAtATime = 8;

// Asks once for each of `files`, checks and reads it; then times round trips, a few milliseconds for each file in turn,
// so that a machine that gets slower or quicker meanwhile does so for all. What lies before and between round trips
// (the first request, some to warm up, giving answers back) is not in their times. The results are in the order of
// `files`; their `mode` and `wait` are left alone. DATA_LOSS: the bytes do not match their hashes, or an answer differs
// from the first. INVALID_ARGUMENT: too many files. Else errors of Asker::Ask, and those that the server answers with.
absl::StatusOr<std::vector<Result>> Measure(Asker& asker, absl::Span<const std::string> files,
                                            const MeasureOptions& options);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_MEASURE_H_
