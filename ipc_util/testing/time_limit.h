// The one generous limit that tests wait for what must come.

#ifndef SLUICE_IPC_UTIL_TESTING_TIME_LIMIT_H_
#define SLUICE_IPC_UTIL_TESTING_TIME_LIMIT_H_

#include "absl/base/config.h"
#include "absl/time/time.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
inline constexpr int kSlowness = 5;
#else
inline constexpr int kSlowness = 1;
#endif

// For a wait that ends at once where all is well, so that a broken test fails rather than hangs.
inline absl::Duration TimeLimit() { return absl::Seconds(10) * kSlowness; }

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_TIME_LIMIT_H_
