#include "ipc_transport/internal/spinner.h"

#include <sched.h>

#include <algorithm>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

bool CanSpin() {
  cpu_set_t allowed;
  return sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) > 1;
}

bool Spinner::MaySpin(WaitMode mode) {
  switch (mode) {
    case WaitMode::kSpin:
      return true;
    case WaitMode::kSleep:
      return false;
    case WaitMode::kAdaptive:
      break;
  }
  if (!can_spin_)
    can_spin_ = CanSpin();  // The thread may have been moved since; before a sleep the look costs nothing.
  return can_spin_;
}

bool Spinner::Lost() {
  budget_ = std::max(budget_ / 2, MinBudget());
  can_spin_ = CanSpin();
  return false;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
