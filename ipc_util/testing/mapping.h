// What the kernel says of a mapping of this process.

#ifndef SLUICE_IPC_UTIL_TESTING_MAPPING_H_
#define SLUICE_IPC_UTIL_TESTING_MAPPING_H_

#include <cstddef>
#include <string>
#include <vector>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// As in /proc/self/smaps.
struct Mapping {
  std::string head;                // The first line: addresses, access, and the file's name.
  std::vector<std::string> flags;  // Of VmFlags: "rd", "wr" and so on.
  size_t page_bytes = 0;
};

// The one that `address` lies in; empty if there is none.
Mapping MappingAt(const void* address);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_MAPPING_H_
