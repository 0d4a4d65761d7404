// The bounded spin before a sleep: how long it pays, learnt from what it won.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_SPINNER_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_SPINNER_H_

#include "absl/time/time.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Tells the processor that this is a spin loop.
inline void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// One per waiting thread's pipe direction.
class Spinner {
 public:
  // How long a wait in `mode` may spin: the learnt budget, not at all, or until the deadline.
  Deadline Limit(WaitMode mode, Deadline deadline) const;

  // What the spin of a `kAdaptive` wait came to.
  void Won();
  void Lost();

  absl::Duration budget() const { return budget_; }

  static constexpr absl::Duration MaxBudget() { return absl::Microseconds(50); }
  static constexpr absl::Duration MinBudget() { return absl::Microseconds(1); }

 private:
  absl::Duration budget_ = MaxBudget();
};

// Whether this process may run on more than one processor; if not, spinning only keeps the peer from running.
bool CanSpin();

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_SPINNER_H_
