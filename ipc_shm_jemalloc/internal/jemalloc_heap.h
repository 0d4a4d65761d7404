// A heap of small blocks: a jemalloc arena of its own, over page runs.

#ifndef SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_HEAP_H_
#define SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_HEAP_H_

#include <memory>

#include "absl/status/statusor.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/small_heap.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// `runs` outlive it. All of jemalloc's bookkeeping lies in private memory; no thread cache is used, since those mix the
// blocks of different arenas. RESOURCE_EXHAUSTED: the process has too many arenas (4093).
absl::StatusOr<std::unique_ptr<SmallHeap>> CreateJemallocHeap(PageRuns& runs);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_HEAP_H_
