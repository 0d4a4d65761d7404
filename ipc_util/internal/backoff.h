// Trying again until a deadline, at random and growing intervals: many who wait for the same thing do not come at once.

#ifndef SLUICE_IPC_UTIL_INTERNAL_BACKOFF_H_
#define SLUICE_IPC_UTIL_INTERNAL_BACKOFF_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/random.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Exponential, with full jitter. One thread at a time.
class Backoff {
 public:
  // Both are finite and above zero.
  explicit Backoff(absl::Duration initial = absl::Milliseconds(1), absl::Duration maximum = absl::Milliseconds(100));

  // A random time above zero, up to a ceiling: `initial` at first, and twice as much with each call, up to `maximum`.
  absl::Duration Next();
  // The next ceiling is `initial`.
  void Reset();

  // Sleeps for `Next()`; false: `deadline` came first.
  bool Pause(Deadline deadline);

 private:
  const absl::Duration initial_;
  const absl::Duration maximum_;
  absl::Duration ceiling_;
  Random random_;
};

// Calls `attempt` until it is OK or fails in a way that does not pass by itself, and pauses between. DEADLINE_EXCEEDED:
// none was OK until `deadline`; it has the text and the Reason of the last failure that might have passed.
absl::Status RetryUntil(Deadline deadline, Backoff& backoff, absl::FunctionRef<bool(const absl::Status&)> may_pass,
                        absl::FunctionRef<absl::Status()> attempt);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_INTERNAL_BACKOFF_H_
