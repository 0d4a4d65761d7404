// All results of a run, for people and for programs.

#ifndef SLUICE_PERF_DEMO_REPORT_H_
#define SLUICE_PERF_DEMO_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "perf_demo/choices.h"
#include "perf_demo/machine.h"
#include "perf_demo/result.h"

namespace cache_demo {

struct Report {
  Machine machine = {};
  Cores cores = Cores::kAny;  // Where the programs ran.
  std::vector<Result> results = {};
};

// The round trips; what is not in them; and the ratios. At most 120 columns with names of files up to 20 letters.
std::string ToTable(const Report& report);

// {"machine":{...},"results":[{...},...]}, a result a line.
std::string ToJson(const Report& report);

// A row of names and one for each result.
std::string ToTsv(const Report& report);

// Three digits and a unit: "850 ns", "62.1 us", "1.40 s".
std::string FormatNanos(uint64_t nanos);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_REPORT_H_
