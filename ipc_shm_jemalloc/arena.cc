#include "ipc_shm_jemalloc/arena.h"

#include <utility>

#include "ipc_shm_jemalloc/internal/jemalloc_heap.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm::jemalloc {

absl::StatusOr<std::unique_ptr<internal::PagedArena>> CreateArena(internal::RegionWindow window, size_t limit_bytes,
                                                                  internal::ArenaPlace place) {
  return internal::PagedArena::Create(std::move(window), limit_bytes, internal::CreateJemallocHeap, std::move(place));
}

}  // namespace shm::jemalloc
}  // namespace sluice_0
}  // namespace ipc
