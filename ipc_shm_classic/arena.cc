#include "ipc_shm_classic/arena.h"

#include <utility>

#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm_classic/internal/best_fit_heap.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm::classic {

absl::StatusOr<std::unique_ptr<internal::PagedArena>> CreateArena(internal::RegionWindow window, size_t limit_bytes,
                                                                  internal::ArenaPlace place) {
  // Half of the addresses for small blocks: their best fit is never perfect.
  const size_t heap_bytes = window.bytes / 2;
  return internal::PagedArena::Create(
      std::move(window), limit_bytes,
      [&](internal::PageRuns& runs) { return internal::CreateBestFitHeap(runs, heap_bytes); }, std::move(place));
}

}  // namespace shm::classic
}  // namespace sluice_0
}  // namespace ipc
