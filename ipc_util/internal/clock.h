// The monotonic clock, as a number.

#ifndef SLUICE_IPC_UTIL_INTERNAL_CLOCK_H_
#define SLUICE_IPC_UTIL_INTERNAL_CLOCK_H_

#include <cstdint>
#include <ctime>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Nanoseconds since some time in the past. `clock`: CLOCK_MONOTONIC, or CLOCK_MONOTONIC_COARSE, which takes a fifth of
// the time and lags by a tick of the kernel (10 ms) at most.
inline int64_t NowNanos(clockid_t clock = CLOCK_MONOTONIC) {
  timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_INTERNAL_CLOCK_H_
