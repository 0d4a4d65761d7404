// The bounded spin before a sleep: how long it pays, learnt from what it won.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_SPINNER_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_SPINNER_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/base/optimization.h"
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

// The one processor that the calling thread may run on, plus 1; 0: there are several.
uint32_t OnlyProcessor();

// One per waiting thread's pipe direction. A thread that may run on one processor only does not spin unless the peer is
// known to run elsewhere: it would keep the peer from running.
class Spinner {
 public:
  Spinner() { LookWhere(); }
  // Both sides tell where they run, each in a word that the other reads.
  Spinner(std::atomic<uint32_t>& own, const std::atomic<uint32_t>& peer) : own_(&own), peer_(&peer) { LookWhere(); }

  // Spins until `ready()`: as long as it has paid lately (kAdaptive), until the deadline (kSpin), or not at all
  // (kSleep). Calls `idle()` every so many spins. True: it is ready.
  template <typename Ready, typename Idle>
  bool Spin(WaitMode mode, Deadline deadline, Ready ready, Idle idle) {
    if (!MaySpin(mode)) return false;
    // What comes at once needs no clock.
    for (uint32_t spins = 0; spins < kSpinsPerClock; ++spins) {
      if (ready()) return Won();
      CpuRelax();
    }
    const Deadline limit = mode == WaitMode::kSpin ? deadline : Earlier(deadline, Deadline(budget_));
    for (uint32_t spins = 1; !limit.HasPassed(); ++spins) {
      for (uint32_t i = 0; i < kSpinsPerClock; ++i) {
        if (ready()) return Won();
        CpuRelax();
      }
      if (spins % kClocksPerIdle == 0) idle();
    }
    return Lost();
  }

  // How long the next `kAdaptive` wait spins.
  absl::Duration budget() const { return budget_; }

  static constexpr absl::Duration MaxBudget() { return absl::Microseconds(50); }
  static constexpr absl::Duration MinBudget() { return absl::Microseconds(1); }

 private:
  static constexpr uint32_t kSpinsPerClock = 16;
  static constexpr uint32_t kClocksPerIdle = 256;

  bool MaySpin(WaitMode mode);
  bool Won() {
    if (ABSL_PREDICT_FALSE(budget_ < MaxBudget())) budget_ = std::min(budget_ * 2, MaxBudget());
    return true;
  }
  bool Lost();
  void LookWhere();

  absl::Duration budget_ = MaxBudget();
  std::atomic<uint32_t>* const own_ = nullptr;
  const std::atomic<uint32_t>* const peer_ = nullptr;
  bool can_spin_ = false;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_SPINNER_H_
