#include "ipc_transport/testing/benchmark_main.h"

#include <string>
#include <vector>

#include "absl/base/config.h"
#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"
#include "ipc_transport/testing/benchmark_processes.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

// UBSan shows by the missing NDEBUG alone.
#if defined(__OPTIMIZE__) && defined(NDEBUG) && !defined(ABSL_HAVE_ADDRESS_SANITIZER) && \
    !defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr bool kFiguresMeanSomething = true;
#else
constexpr bool kFiguresMeanSomething = false;
#endif

}  // namespace

int BenchmarkMain(int argc, char** argv, absl::FunctionRef<void(Rows)> register_rows) {
  if (!kFiguresMeanSomething) Die("this build is not optimised, or sanitized; its figures would mean nothing");
  std::vector<char*> arguments(argv, argv + argc);
  std::string quick = "--benchmark_min_time=0.05";
  Rows rows = Rows::kAll;
  for (char*& argument : arguments) {
    if (absl::string_view(argument) != "--quick") continue;
    argument = quick.data();
    rows = Rows::kQuick;
  }
  benchmark::Initialize(&argc, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(argc, arguments.data())) return 1;
  register_rows(rows);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
