// Runs a benchmark as a test: whether all rows are there and end well, not how quick they are.

#ifndef SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_RUN_H_
#define SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_RUN_H_

#include <initializer_list>

#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Runs the program at the path in the environment's `variable` as shortly as it can, and expects `rows` and no others,
// each with its percentiles or its rate, but for `gauges`, which time nothing. `slow` are rows that it has beside them,
// and that are not run. In a build whose figures would mean nothing, expects that the program says so.
void ExpectRows(const char* variable, std::initializer_list<absl::string_view> rows,
                std::initializer_list<absl::string_view> slow = {},
                std::initializer_list<absl::string_view> gauges = {});

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_RUN_H_
