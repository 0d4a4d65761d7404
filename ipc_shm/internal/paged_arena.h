// The arena that all kinds share: large blocks are page runs, small ones come from the kind's own heap.

#ifndef SLUICE_IPC_SHM_INTERNAL_PAGED_ARENA_H_
#define SLUICE_IPC_SHM_INTERNAL_PAGED_ARENA_H_

#include <atomic>
#include <cstddef>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/small_heap.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Blocks of small heaps and page runs never fill a window to the last byte: it has this many times the arena's limit,
// which costs addresses and no memory.
inline constexpr size_t kWindowBytesPerLimitByte = 4;

// The window for an arena of `limit_bytes`.
constexpr size_t WindowBytesFor(size_t limit_bytes) {
  return PageRuns::RoundUp(limit_bytes) * kWindowBytesPerLimitByte;
}

// How objects in an arena find it, and what it shares its region with.
struct ArenaPlace {
  ArenaHeader* header = nullptr;       // Null, or not at an equal address: no containers in it.
  ArenaHeader* peer_header = nullptr;  // Of the other arena of its region, that of another process, in `peer_window`.
  RegionWindow peer_window = {};
};

class PagedArena final : public shm::Arena {
 public:
  using MakeHeap = absl::FunctionRef<absl::StatusOr<std::unique_ptr<SmallHeap>>(PageRuns& runs)>;

  // `window` as for PageRuns. INVALID_ARGUMENT: smaller than `WindowBytesFor(limit_bytes)`. Else the errors of
  // `make_heap`.
  static absl::StatusOr<std::unique_ptr<PagedArena>> Create(RegionWindow window, size_t limit_bytes, MakeHeap make_heap,
                                                            ArenaPlace place = {});
  ~PagedArena() override;

  // What containers in it hold; null: it can have none.
  const ArenaHeader* header() const override { return place_.header; }

  // As `Allocate`; null instead of an error.
  void* TryAllocate(size_t bytes, size_t alignment);

  absl::StatusOr<void*> Allocate(size_t bytes, size_t alignment) override;
  absl::StatusOr<void*> AllocateZeroed(size_t bytes, size_t alignment) override;
  void Free(void* block, size_t bytes) override;
  size_t Shrink(void* block, size_t bytes, size_t used) override;
  shm::ArenaStats stats() const override;

 private:
  PagedArena(RegionWindow window, size_t limit_bytes, ArenaPlace place);

  absl::StatusOr<void*> Allocate(size_t bytes, size_t alignment, bool zeroed);
  void* AllocateLarge(size_t bytes, bool zeroed);
  // False: beyond the limit.
  bool TakeFromLimit(size_t bytes);
  absl::Status Full(size_t bytes) const;

  const size_t limit_bytes_;
  ArenaPlace place_;
  // Counters alone: they order nothing.
  std::atomic<size_t> allocated_bytes_{0};
  std::atomic<size_t> live_allocations_{0};
  PageRuns runs_;
  std::unique_ptr<SmallHeap> heap_;  // Destroyed before the runs that it stands on.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_PAGED_ARENA_H_
