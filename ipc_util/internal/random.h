// Numbers that no two processes, and no two objects of one, get alike; not for secrets.

#ifndef SLUICE_IPC_UTIL_INTERNAL_RANDOM_H_
#define SLUICE_IPC_UTIL_INTERNAL_RANDOM_H_

#include <cstdint>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Splitmix64. One thread.
class Random {
 public:
  Random();

  uint64_t Next();

 private:
  uint64_t state_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_INTERNAL_RANDOM_H_
