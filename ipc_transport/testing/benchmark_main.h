// The main function of a benchmark.

#ifndef SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_MAIN_H_
#define SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_MAIN_H_

#include "absl/functional/function_ref.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

enum class Rows { kAll, kQuick };

// Runs what `register_rows` registers and returns the exit code. Besides google benchmark's flags there is --quick,
// which makes do with short rows and asks for kQuick. Refuses to run where figures would mean nothing: in a build that
// is not optimised, or is sanitized.
int BenchmarkMain(int argc, char** argv, absl::FunctionRef<void(Rows)> register_rows);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_MAIN_H_
