// What a benchmark measured, beside its targets.

#ifndef SLUICE_PERF_DEMO_BENCHMARK_TABLE_H_
#define SLUICE_PERF_DEMO_BENCHMARK_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cache_demo {

class TargetTable {
 public:
  // `what` again: instead of what was there. `over_floor` is 0 where there is no floor.
  void Set(const std::string& what, double figure, double target, absl::string_view unit, double over_floor = 0);

  // To stderr, so that a record on stdout stays what it is.
  void Print() const;

 private:
  struct Line {
    std::string what;
    std::string unit;
    double figure = 0;
    double target = 0;
    double over_floor = 0;
  };
  std::vector<Line> lines_;
};

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_BENCHMARK_TABLE_H_
