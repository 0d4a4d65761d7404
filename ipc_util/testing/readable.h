// Whether a descriptor is readable, for tests of what event loops watch.

#ifndef SLUICE_IPC_UTIL_TESTING_READABLE_H_
#define SLUICE_IPC_UTIL_TESTING_READABLE_H_

#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Now.
bool IsReadable(FdView fd);

// Waits for it, for `TimeLimit()` at most.
bool BecomesReadable(FdView fd);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_READABLE_H_
