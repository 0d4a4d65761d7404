// Asks for one file many times, and takes the times.

#ifndef SLUICE_PERF_DEMO_MEASURE_H_
#define SLUICE_PERF_DEMO_MEASURE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "perf_demo/asker.h"
#include "perf_demo/choices.h"
#include "perf_demo/result.h"

namespace cache_demo {

struct MeasureOptions {
  // How many round trips are timed. 0: as many as fit 2 s, but at least 3, and 1000 of a file of up to 1 MB; at most a
  // million.
  uint64_t iterations = 0;
  Verify verify = Verify::kAll;
};

// Asks once for `file`, checks and reads it, then times round trips; what lies before and between them (the first
// request, some to warm up, giving answers back) is not in their times. `mode` and `wait` of the result are left alone.
// DATA_LOSS: the bytes do not match their hashes, or an answer differs from the first. Else errors of Asker::Ask, and
// those that the server answers with.
absl::StatusOr<Result> Measure(Asker& asker, const std::string& file, const MeasureOptions& options);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_MEASURE_H_
