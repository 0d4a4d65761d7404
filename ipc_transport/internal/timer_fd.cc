#include "ipc_transport/internal/timer_fd.h"

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>

#include "absl/time/time.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<Fd> MakeTimer() {
  Fd timer(os::TimerFd(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return FromErrno(errno, "make a timer");
  return timer;
}

void SetTimer(FdView timer, Deadline deadline) {
  itimerspec time = {};  // All zero: never.
  if (!deadline.never()) time.it_value = absl::ToTimespec(std::max(deadline.Remaining(), absl::Nanoseconds(1)));
  os::TimerFdSet(timer.get(), 0, &time);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
