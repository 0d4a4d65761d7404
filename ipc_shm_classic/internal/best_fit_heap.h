// A heap of small blocks: Boost.Interprocess's best-fit trees, without a lock between processes.

#ifndef SLUICE_IPC_SHM_CLASSIC_INTERNAL_BEST_FIT_HEAP_H_
#define SLUICE_IPC_SHM_CLASSIC_INTERNAL_BEST_FIT_HEAP_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/small_heap.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// How much of the heap has a tree of its own, and goes back to the system once nothing in it is allocated; one such
// chunk is kept.
inline constexpr size_t kBestFitChunkBytes = size_t{4} << 20;

// A heap of `bytes` in a run of its own; `runs` outlive it. The trees lie between its blocks, where a peer that maps
// the region for writing can spoil them; which chunks there are, and which blocks are live, is known in private.
// RESOURCE_EXHAUSTED: there is no such run.
absl::StatusOr<std::unique_ptr<SmallHeap>> CreateBestFitHeap(PageRuns& runs, size_t bytes);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_CLASSIC_INTERNAL_BEST_FIT_HEAP_H_
