// How much all arenas of this process may take together.

#ifndef SLUICE_IPC_SHM_PROCESS_LIMIT_H_
#define SLUICE_IPC_SHM_PROCESS_LIMIT_H_

#include <cstddef>
#include <cstdint>
#include <limits>

namespace ipc {
inline namespace sluice_0 {
namespace shm {

struct ProcessUsage {
  uint64_t used_bytes = 0;  // In blocks, and in what threads keep for their next ones.
  uint64_t limit_bytes = std::numeric_limits<uint64_t>::max();
};

// From now on no arena of this process takes more once all of them have `bytes`: RESOURCE_EXHAUSTED, or ArenaFull. At
// first there is no limit. What peers allocate in regions that this process maps is theirs. Any thread.
void SetProcessLimit(uint64_t bytes);

ProcessUsage GetProcessUsage();

}  // namespace shm

namespace internal {

// Of `count` pieces of `bytes` > 0, as many as the limit allows. Any thread.
size_t TakeFromProcess(size_t bytes, size_t count);
void GiveBackToProcess(size_t bytes);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_PROCESS_LIMIT_H_
