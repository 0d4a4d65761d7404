// The jemalloc arena: jemalloc for small blocks, whole pages for large ones; all bookkeeping in private memory.

#ifndef SLUICE_IPC_SHM_JEMALLOC_ARENA_H_
#define SLUICE_IPC_SHM_JEMALLOC_ARENA_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm::jemalloc {

// An arena of `limit_bytes` in `window` at `place`, which are as PagedArena wants them. INVALID_ARGUMENT: the window is
// too small. RESOURCE_EXHAUSTED: the process has 4093 arenas already.
absl::StatusOr<std::unique_ptr<internal::PagedArena>> CreateArena(internal::RegionWindow window, size_t limit_bytes,
                                                                  internal::ArenaPlace place = {});

}  // namespace shm::jemalloc
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_JEMALLOC_ARENA_H_
