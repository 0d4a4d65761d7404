#include "ipc_transport/internal/spinner.h"

#include <sched.h>

#include <algorithm>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

bool CanSpin() {
  static const bool can_spin = [] {
    cpu_set_t allowed;
    return sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) > 1;
  }();
  return can_spin;
}

Deadline Spinner::Limit(WaitMode mode, Deadline deadline) const {
  switch (mode) {
    case WaitMode::kSpin:
      return deadline;
    case WaitMode::kAdaptive:
      if (CanSpin()) return Earlier(deadline, Deadline(budget_));
      break;
    case WaitMode::kSleep:
      break;
  }
  return Deadline::Passed();
}

void Spinner::Won() { budget_ = std::min(budget_ * 2, MaxBudget()); }

void Spinner::Lost() { budget_ = std::max(budget_ / 2, MinBudget()); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
