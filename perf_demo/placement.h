// Which processors the two programs run on.

#ifndef SLUICE_PERF_DEMO_PLACEMENT_H_
#define SLUICE_PERF_DEMO_PLACEMENT_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "ipc_transport/pipe.h"
#include "perf_demo/choices.h"

namespace cache_demo {

struct Placement {
  Cores cores = Cores::kAny;  // Never kAuto.
  // Where each is held; none: the scheduler decides.
  std::optional<int> server_processor = {};
  std::optional<int> client_processor = {};
};

// `processors` are those that may be used. With kAuto, programs that spin get one each, since on one they hold each
// other up for milliseconds; programs that sleep get one for both, since to wake the other core takes the kernel longer
// than all the rest; others are left to the scheduler, as they do well anywhere.
// INVALID_ARGUMENT: kTwo, and there are not two.
absl::StatusOr<Placement> Place(Cores wish, ipc::WaitMode wait, const std::vector<int>& processors);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_PLACEMENT_H_
