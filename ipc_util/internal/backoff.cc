#include "ipc_util/internal/backoff.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

absl::Status TooLate(const absl::Status& last) {
  return WithReason(absl::DeadlineExceededError(absl::StrCat(last.message(), "; it was so until the deadline")),
                    ReasonOf(last));
}

}  // namespace

Backoff::Backoff(absl::Duration initial, absl::Duration maximum)
    : initial_(initial), maximum_(maximum), ceiling_(initial) {}

absl::Duration Backoff::Next() {
  constexpr uint64_t kParts = uint64_t{1} << 20;
  const int64_t part = static_cast<int64_t>(random_.Next() % kParts) + 1;
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
