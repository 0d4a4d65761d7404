// One mode of the demo: starts a server and a client, and collects what the client measures.

#ifndef SLUICE_PERF_DEMO_DEMO_H_
#define SLUICE_PERF_DEMO_DEMO_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "perf_demo/choices.h"
#include "perf_demo/placement.h"
#include "perf_demo/result.h"

namespace cache_demo {

struct DemoOptions {
  // Paths of the two programs.
  std::string server_program = {};
  std::string client_program = {};
  // Flags of each, beside --mode.
  std::vector<std::string> server_flags = {};
  std::vector<std::string> client_flags = {};
  Placement placement = {};
  // What the client asks for, in this order.
  std::vector<std::string> files = {};
};

// A result for each file; `on_result` is called as each comes in. Both programs have ended on return.
// CANCELLED: as in Program. Else an error in the words of the program that failed.
absl::StatusOr<std::vector<Result>> RunMode(Mode mode, const DemoOptions& options, absl::FunctionRef<void()> on_result);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_DEMO_H_
