// A heap of small blocks: Boost.Interprocess's best-fit tree, without a lock between processes.

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

// A heap of `bytes` in a run of its own; `runs` outlive it. Its bookkeeping lies between its blocks, where a peer that
// maps the region for writing can spoil it. RESOURCE_EXHAUSTED: there is no such run.
absl::StatusOr<std::unique_ptr<SmallHeap>> CreateBestFitHeap(PageRuns& runs, size_t bytes);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_CLASSIC_INTERNAL_BEST_FIT_HEAP_H_
