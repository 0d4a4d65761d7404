// The classic arena: Boost.Interprocess's best-fit heap for small blocks, whole pages for large ones.

#ifndef SLUICE_IPC_SHM_CLASSIC_ARENA_H_
#define SLUICE_IPC_SHM_CLASSIC_ARENA_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm::classic {

// An arena of `limit_bytes` in `window` at `place`, which are as PagedArena wants them. Its bookkeeping lies in the
// region too: for peers that cooperate. INVALID_ARGUMENT: the window is too small.
absl::StatusOr<std::unique_ptr<internal::PagedArena>> CreateArena(internal::RegionWindow window, size_t limit_bytes,
                                                                  internal::ArenaPlace place = {});

}  // namespace shm::classic
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_CLASSIC_ARENA_H_
