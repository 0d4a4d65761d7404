// The arena that all kinds share: large blocks are page runs, small ones come from the kind's own heap.

#ifndef SLUICE_IPC_SHM_INTERNAL_PAGED_ARENA_H_
#define SLUICE_IPC_SHM_INTERNAL_PAGED_ARENA_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "absl/base/optimization.h"
#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/front_cache.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/quarantine.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/size_classes.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Blocks of small heaps and page runs never fill a window to the last byte: it has this many times the arena's limit,
// which costs addresses and no memory.
inline constexpr size_t kWindowBytesPerLimitByte = 4;

// The window for an arena of `limit_bytes`.
constexpr size_t WindowBytesFor(size_t limit_bytes) {
  // Of whole units, also of two arenas in one region.
  constexpr size_t kStep = PageRuns::kMaxUnitBytes;
  return (limit_bytes + kStep - 1) / kStep * kStep * kWindowBytesPerLimitByte;
}

// How objects in an arena find it, and what it shares its region with.
struct ArenaPlace {
  ArenaHeader* header = nullptr;       // Null, or not at an equal address: no containers in it.
  ArenaHeader* peer_header = nullptr;  // Of the other arena of its region, that of another process, in `peer_window`.
  RegionWindow peer_window = {};
};

// Blocks for sizes that SizeClasses hold have the room of the heap's classes, and go through a front cache. All lie at
// multiples of SizeClasses::kAlignment.
class PagedArena final : public shm::Arena {
 public:
  static constexpr absl::Duration kDefaultDecay = absl::Seconds(10);

  using MakeHeap = absl::FunctionRef<absl::StatusOr<std::unique_ptr<SmallHeap>>(PageRuns& runs)>;

  // `window` as for PageRuns. INVALID_ARGUMENT: smaller than `WindowBytesFor(limit_bytes)`. Else the errors of
  // `make_heap`.
  static absl::StatusOr<std::unique_ptr<PagedArena>> Create(RegionWindow window, size_t limit_bytes, MakeHeap make_heap,
                                                            ArenaPlace place = {});
  ~PagedArena() override;

  // How long memory of free blocks is kept for its next use, see SessionOptions::arena_decay. Before any other call;
  // without it, `kDefaultDecay`.
  void SetDecay(absl::Duration decay);

  // What containers in it hold; null: it can have none.
  const ArenaHeader* header() const override { return place_.header; }

  // As `Allocate`; null instead of an error.
  void* TryAllocate(size_t bytes, size_t alignment) {
    if (SizeClasses::Holds(bytes) && IsSmallAlignment(alignment)) {
      if (void* const block = cache_.Allocate(bytes); ABSL_PREDICT_TRUE(block != nullptr)) return block;
    }
    return AllocateSlowly(bytes, alignment, /*zeroed=*/false);
  }

  absl::StatusOr<void*> Allocate(size_t bytes, size_t alignment) override;
  absl::StatusOr<void*> AllocateZeroed(size_t bytes, size_t alignment) override;
  // A block of the region's other arena goes back to its owner.
  void Free(void* block, size_t bytes) override {
    if (!Quarantine::kIsOn && ABSL_PREDICT_TRUE(SizeClasses::Holds(bytes) && IsOwn(block))) {
      return cache_.Free(block, bytes);
    }
    FreeSlowly(block, bytes);
  }
  size_t Shrink(void* block, size_t bytes, size_t used) override;
  shm::ArenaStats stats() const override;
  bool IsIdle() const override;
  void Purge(bool all) override;

  // Frees what other processes gave back. Allocations and `stats` do so by themselves, now and then.
  void Collect() const;

 private:
  // What the front cache fills itself from: the heap, as far as the limit allows.
  class Supply final : public FrontCache::Source {
   public:
    explicit Supply(PagedArena& arena) : arena_(arena) {}
    size_t TakeBlocks(size_t bytes, absl::Span<void*> blocks) override;
    void GiveBack(size_t bytes, absl::Span<void* const> blocks) override;

   private:
    PagedArena& arena_;
  };

  // The live ones, to know those that another process names. Any thread.
  class LargeBlocks {
   public:
    void Add(void* block, size_t runs_bytes);
    // False: there is no such block of as many runs.
    bool Remove(void* block, size_t runs_bytes);
    // Of all of them.
    size_t bytes() const;

   private:
    mutable Mutex mutex_;
    std::unordered_map<void*, size_t> runs_bytes_ ABSL_GUARDED_BY(mutex_);
    size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  };

  PagedArena(RegionWindow window, size_t limit_bytes, std::unique_ptr<PageRuns> runs, std::unique_ptr<SmallHeap> heap,
             ArenaPlace place);

  static constexpr bool IsSmallAlignment(size_t alignment) {
    return alignment == 1 || alignment == 2 || alignment == 4 || alignment == 8 || alignment == 16;
  }
  bool IsOwn(const void* block) const { return reinterpret_cast<uintptr_t>(block) - window_begin_ < window_bytes_; }
  // What the heap is asked for, for a small block of `bytes`.
  size_t RoomFor(size_t bytes) const { return cache_.classes().RoomFor(bytes); }
  // What a block of `bytes` takes of the limit.
  size_t FootprintOf(size_t bytes) const { return bytes >= kLargeBytes ? bytes : cache_.classes().FootprintOf(bytes); }
  static absl::Status CheckRequest(size_t bytes, size_t alignment);

  // Past the cache; null: a bad request, or no room, not even with what this thread's cache keeps.
  void* AllocateSlowly(size_t bytes, size_t alignment, bool zeroed);
  void* AllocateOnce(size_t bytes, size_t alignment, bool zeroed);
  void* AllocateLarge(size_t bytes, bool zeroed);
  void FreeSlowly(void* block, size_t bytes);
  void FreeForPeer(void* block, size_t bytes);
  void FreeLarge(void* block, size_t bytes) const;
  // Gives a small block of `bytes` back to the heap.
  void FreeSmall(void* block, size_t bytes);
  // What was freed outside the cache.
  void CountFreed(size_t bytes) const;
  // It is not idle.
  void NoteUse() const;
  // How many of `count` blocks of `bytes` the limit allows, which are taken from it.
  size_t TakeFromLimit(size_t bytes, size_t count);
  void GiveBackToLimit(size_t bytes) const;
  absl::Status Full(size_t bytes) const;

  const uintptr_t window_begin_;
  const size_t window_bytes_;
  const size_t limit_bytes_;
  ArenaPlace place_;
  const RegionWindow window_;
  // Counters alone: they order nothing. `Collect` changes them, wherever it is called.
  mutable std::atomic<size_t> taken_bytes_{0};  // Of the limit; in the cache's blocks, too.
  // Of blocks that did not go through the cache.
  mutable std::atomic<int64_t> direct_bytes_{0};
  mutable std::atomic<int64_t> direct_blocks_{0};
  int64_t decay_nanos_ = absl::ToInt64Nanoseconds(kDefaultDecay);  // The greatest: it never decays.
  // On CLOCK_MONOTONIC_COARSE. When it was used last; 0: not since it was purged.
  mutable std::atomic<int64_t> used_at_{0};
  // When what is due goes back next.
  std::atomic<int64_t> decays_at_{0};
  const std::unique_ptr<PageRuns> runs_;
  mutable LargeBlocks large_blocks_;
  const std::unique_ptr<SmallHeap> heap_;  // Destroyed before the runs that it stands on.
  Quarantine quarantine_;
  Supply supply_;
  FrontCache cache_;  // Destroyed before its supply.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_PAGED_ARENA_H_
