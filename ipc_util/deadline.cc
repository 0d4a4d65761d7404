#include "ipc_util/deadline.h"

#include <algorithm>

#include "ipc_util/internal/clock.h"

namespace ipc {
inline namespace sluice_0 {

using internal::NowNanos;

Deadline::Deadline(absl::Duration timeout) : nanos_(0) {
  if (timeout <= absl::ZeroDuration()) return;
  const int64_t now = NowNanos();
  const int64_t nanos = absl::ToInt64Nanoseconds(timeout);  // Saturates.
  nanos_ = nanos >= kNever - now ? kNever : now + nanos;
}

Deadline Deadline::Default() {
  // The coarse clock takes a fifth of the time, and hot calls take this.
  return Deadline(Nanos{NowNanos(CLOCK_MONOTONIC_COARSE) + int64_t{30} * 1'000'000'000});
}

bool Deadline::HasPassed() const { return nanos_ == 0 || (!never() && NowNanos() >= nanos_); }

absl::Duration Deadline::Remaining() const {
  if (never()) return absl::InfiniteDuration();
  if (nanos_ == 0) return absl::ZeroDuration();
  return absl::Nanoseconds(std::max<int64_t>(0, nanos_ - NowNanos()));
}

const timespec* Deadline::ToPollTimeout(timespec* storage) const {
  if (never()) return nullptr;
  *storage = absl::ToTimespec(Remaining());
  return storage;
}

}  // namespace sluice_0
}  // namespace ipc
