#include "perf_demo/benchmark_table.h"

#include <cstdio>

#include "absl/algorithm/container.h"
#include "absl/strings/str_format.h"

namespace cache_demo {

void TargetTable::Set(const std::string& what, double figure, double target, absl::string_view unit,
                      double over_floor) {
  const auto found = absl::c_find_if(lines_, [&](const Line& line) { return line.what == what; });
  Line& line = found == lines_.end() ? lines_.emplace_back() : *found;
  line = {.what = what, .unit = std::string(unit), .figure = figure, .target = target, .over_floor = over_floor};
}

void TargetTable::Print() const {
  if (lines_.empty()) return;
  absl::FPrintF(stderr, "\n%-42s %9s %9s %-4s  %-6s  %s\n", "", "figure", "target", "", "", "over floor");
  for (const Line& line : lines_) {
    absl::FPrintF(stderr, "%-42s %9.2f %9.2f %-4s  %-6s", line.what, line.figure, line.target, line.unit,
                  line.figure <= line.target ? "met" : "MISSED");
    if (line.over_floor > 0) absl::FPrintF(stderr, "  %10.2f", line.over_floor);
    absl::FPrintF(stderr, "\n");
  }
}

}  // namespace cache_demo
