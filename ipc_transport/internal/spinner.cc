#include "ipc_transport/internal/spinner.h"

#include <sched.h>

#include <algorithm>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

uint32_t OnlyProcessor() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) != 1) return 0;
  uint32_t processor = 0;
  while (!CPU_ISSET(processor, &allowed)) ++processor;
  return processor + 1;
}

void Spinner::LookWhere() {
  const uint32_t only = OnlyProcessor();
  if (own_ != nullptr) own_->store(only, std::memory_order_relaxed);
  can_spin_ = only == 0 || (peer_ != nullptr && peer_->load(std::memory_order_relaxed) != only);
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
  if (!can_spin_) LookWhere();  // Either may have been moved since; before a sleep the look costs nothing.
  return can_spin_;
}

bool Spinner::Lost() {
  budget_ = std::max(budget_ / 2, MinBudget());
  LookWhere();
  return false;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
