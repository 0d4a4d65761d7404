// A point on the monotonic clock until which a call may wait.

#ifndef SLUICE_IPC_UTIL_DEADLINE_H_
#define SLUICE_IPC_UTIL_DEADLINE_H_

#include <cstdint>
#include <ctime>
#include <limits>

#include "absl/time/time.h"

namespace ipc {
inline namespace sluice_0 {

// A value; copy it freely. Made from a duration where the call is written, so that nested calls share one limit:
//
//   channel.Receive(buffer, absl::Seconds(5));
//
// Clock jumps do not move it. A duration of zero or less has passed already: the call tries once and does not wait.
class Deadline {
 public:
  // `timeout` from now; InfiniteDuration never passes.
  Deadline(absl::Duration timeout);  // NOLINT: a call reads `absl::Seconds(5)`.

  // 30 s from now, give or take a tick of the kernel's clock (10 ms): the limit of every call that was given none.
  static Deadline Default();
  static constexpr Deadline Never() { return Deadline(Nanos{kNever}); }
  // Has passed: try once, do not wait.
  static constexpr Deadline Passed() { return Deadline(Nanos{0}); }

  bool never() const { return nanos_ == kNever; }
  bool HasPassed() const;

  // Until then; zero when it has passed, InfiniteDuration for `Never`.
  absl::Duration Remaining() const;

  // For ppoll(2): the remaining time; `nullptr` (wait for ever) for `Never`, else `storage`.
  const timespec* ToPollTimeout(timespec* storage) const;

  friend bool operator<(Deadline a, Deadline b) { return a.nanos_ < b.nanos_; }

  // The earlier of the two.
  friend Deadline Earlier(Deadline a, Deadline b) { return a.nanos_ < b.nanos_ ? a : b; }

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  struct Nanos {
    int64_t value;
  };
  constexpr explicit Deadline(Nanos nanos) : nanos_(nanos.value) {}

  int64_t nanos_;  // On CLOCK_MONOTONIC.
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_DEADLINE_H_
