#include "perf_demo/placement.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cache_demo {
namespace {

Cores Decide(Cores wish, ipc::WaitMode wait, bool has_two) {
  if (wish != Cores::kAuto) return wish;
  switch (wait) {
    case ipc::WaitMode::kAdaptive:
      return Cores::kAny;
    case ipc::WaitMode::kSpin:
      return has_two ? Cores::kTwo : Cores::kAny;
    case ipc::WaitMode::kSleep:
      return Cores::kOne;
  }
  return Cores::kAny;
}

}  // namespace

absl::StatusOr<Placement> Place(Cores wish, ipc::WaitMode wait, const std::vector<int>& processors) {
  if (wish == Cores::kTwo && processors.size() < 2) {
    return absl::InvalidArgumentError(absl::StrCat("--cores has \"two\", and this process may run on ",
                                                   processors.size(), "; leave it away, or allow more (taskset)"));
  }
  const Cores cores = Decide(wish, wait, processors.size() > 1);
  if (cores == Cores::kAny || processors.empty()) return Placement{.cores = Cores::kAny};
  return Placement{.cores = cores,
                   .server_processor = cores == Cores::kOne ? processors.back() : processors.front(),
                   .client_processor = processors.back()};
}

}  // namespace cache_demo
