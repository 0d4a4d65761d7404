// What memory an arena is made of.

#ifndef SLUICE_IPC_SESSION_ARENA_PAGES_H_
#define SLUICE_IPC_SESSION_ARENA_PAGES_H_

#include <cstdint>

namespace ipc {
inline namespace sluice_0 {

// Which pages an arena has, and when it takes them from the system.
enum class ArenaPages : uint8_t {
  // Ordinary ones, each when it is first touched. Where the system's memory is at its end, that touch may kill a
  // process.
  kOnTouch = 0,
  // Ordinary ones, when a block is allocated: what was allocated has its memory. Where there is none, the allocation
  // fails with RESOURCE_EXHAUSTED, as far as the kernel tells: it overcommits nothing here, but a memory cgroup kills.
  kCommitted = 1,
  // Of 2 MiB, from those that the system has reserved (vm.nr_hugepages), when a block is allocated. The other side must
  // allow them by the same value, else it refuses the session with FAILED_PRECONDITION.
  kHuge = 2,
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_ARENA_PAGES_H_
