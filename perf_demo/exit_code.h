// How a program ends.

#ifndef SLUICE_PERF_DEMO_EXIT_CODE_H_
#define SLUICE_PERF_DEMO_EXIT_CODE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cache_demo {

// 0 for OK; else 1, after one line "`program`: `text of status`" to standard error.
int ExitCode(absl::string_view program, const absl::Status& status);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_EXIT_CODE_H_
