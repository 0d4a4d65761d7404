// When one end of a socket pipe must speak, and when its peer has been silent for too long.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_KEEP_ALIVE_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_KEEP_ALIVE_H_

#include <atomic>

#include "absl/time/time.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Any thread. Costs a look at the clock for each thing heard and said, and nothing where it is off.
class KeepAlive {
 public:
  // Zero: this side need not speak; it does not mind silence.
  KeepAlive(absl::Duration period, absl::Duration idle_timeout) : period_(period), idle_timeout_(idle_timeout) {
    Spoke();
    Heard();
  }

  void Spoke() {
    if (period_ > absl::ZeroDuration()) speak_at_.store(Deadline(period_), std::memory_order_relaxed);
  }
  void Heard() {
    if (idle_timeout_ > absl::ZeroDuration()) silent_at_.store(Deadline(idle_timeout_), std::memory_order_relaxed);
  }

  // `Never` where it is off.
  Deadline speak_at() const { return speak_at_.load(std::memory_order_relaxed); }
  Deadline silent_at() const { return silent_at_.load(std::memory_order_relaxed); }
  Deadline Next() const { return Earlier(speak_at(), silent_at()); }

  absl::Duration idle_timeout() const { return idle_timeout_; }

 private:
  const absl::Duration period_;
  const absl::Duration idle_timeout_;
  // Relaxed: each is a figure of its own.
  std::atomic<Deadline> speak_at_{Deadline::Never()};
  std::atomic<Deadline> silent_at_{Deadline::Never()};
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_KEEP_ALIVE_H_
