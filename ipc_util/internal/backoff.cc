#include "ipc_util/internal/backoff.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;

// The next number of `state` (splitmix64).
uint64_t NextRandom(uint64_t& state) {
  uint64_t mixed = state += kGoldenRatio;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

absl::Status TooLate(const absl::Status& last) {
  return WithReason(absl::DeadlineExceededError(absl::StrCat(last.message(), "; it was so until the deadline")),
                    ReasonOf(last));
}

}  // namespace

Backoff::Backoff(absl::Duration initial, absl::Duration maximum)
    : initial_(initial),
      maximum_(maximum),
      ceiling_(initial),
      random_(static_cast<uint64_t>(NowNanos()) ^ (static_cast<uint64_t>(getpid()) * kGoldenRatio) ^
              reinterpret_cast<uintptr_t>(this)) {}

absl::Duration Backoff::Next() {
  constexpr uint64_t kParts = uint64_t{1} << 20;
  const int64_t part = static_cast<int64_t>(NextRandom(random_) % kParts) + 1;
  const absl::Duration time = ceiling_ * part / static_cast<int64_t>(kParts);
  ceiling_ = std::min(2 * ceiling_, maximum_);
  return time;
}

void Backoff::Reset() { ceiling_ = initial_; }

bool Backoff::Pause(Deadline deadline) {
  const Deadline end = Next();
  while (!Earlier(deadline, end).HasPassed()) {
    timespec storage;
    os::Poll(nullptr, 0, Earlier(deadline, end).ToPollTimeout(&storage));  // A signal may cut it short.
  }
  return !(deadline < end);
}

absl::Status RetryUntil(Deadline deadline, Backoff& backoff, absl::FunctionRef<bool(const absl::Status&)> may_pass,
                        absl::FunctionRef<absl::Status()> attempt) {
  absl::Status last;
  while (true) {
    absl::Status status = attempt();
    if (status.ok()) return status;
    if (may_pass(status)) {
      last = status;
    } else if (!absl::IsDeadlineExceeded(status) || last.ok()) {
      return status;
    }
    if (absl::IsDeadlineExceeded(status) || deadline.HasPassed() || !backoff.Pause(deadline)) return TooLate(last);
  }
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
