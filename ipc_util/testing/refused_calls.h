// System calls that the kernel refuses to a child, as it does where a container's seccomp filter says so.

#ifndef SLUICE_IPC_UTIL_TESTING_REFUSED_CALLS_H_
#define SLUICE_IPC_UTIL_TESTING_REFUSED_CALLS_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

struct RefusedCall {
  int number = 0;  // SYS_...
  int error = 0;
  // Only with this third argument, such as the option of getsockopt(2).
  std::optional<uint32_t> third_argument = {};
};

// For this process, a child, for good. False: the kernel has no seccomp filters.
bool RefuseCalls(const std::vector<RefusedCall>& calls);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_REFUSED_CALLS_H_
