// Runs of pages of a region: first fit over a bitmap in private memory, which also knows what is still zero.

#ifndef SLUICE_IPC_SHM_INTERNAL_PAGE_RUNS_H_
#define SLUICE_IPC_SHM_INTERNAL_PAGE_RUNS_H_

#include <cstddef>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/types/span.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/unit_bitmap.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Hands out whole units. Freed ones go back to the system, but for a few that are kept dirty for their next use. Any
// thread.
//
// In a committed window what is handed out has its memory, so that no touch meets the end of it.
class PageRuns {
 public:
  static constexpr size_t kUnitBytes = size_t{64} << 10;
  static constexpr size_t kMaxUnitBytes = size_t{2} << 20;  // With huge pages.
  static constexpr size_t kMaxDirtyBytes = size_t{16} << 20;

  // `window` begins at a page, is of whole units, and was never touched.
  explicit PageRuns(RegionWindow window);

  // Whole units that hold `bytes`.
  size_t RoundUp(size_t bytes) const { return (bytes + unit_bytes_ - 1) / unit_bytes_ * unit_bytes_; }
  bool is_committed() const { return window_.is_committed; }

  // `bytes` > 0, rounded up to whole units, aligned to pages. Empty: no such run is free, or there is no memory for it.
  // `*is_zero` tells whether all of it reads as zero.
  absl::Span<std::byte> Allocate(size_t bytes, bool* is_zero);

  // The same, all zero. Touches only what is not zero yet.
  absl::Span<std::byte> AllocateZeroed(size_t bytes);

  // The same without memory, in a committed window: to be committed piece by piece.
  absl::Span<std::byte> Reserve(size_t bytes);

  // Takes memory for `pages` of a reserved run, in a committed window. False: there is none.
  bool Commit(absl::Span<std::byte> pages) const;

  // What was allocated, or whole units of it.
  void Free(absl::Span<std::byte> run);

  // The same for any bytes of it; false: they are not whole units, and stay allocated.
  bool TryFree(absl::Span<std::byte> run);

  // No freed runs are kept dirty. Before any other call.
  void KeepNone();

  // Gives what is kept dirty back to the system.
  void PunchFree();

  // Whether `address` is one of its window.
  bool Contains(const void* address) const { return window_.Contains(window_.OffsetOf(address), 1); }

  // Gives pages of an allocated run back to the system; they read as zero. False: the system did not take them.
  bool Punch(absl::Span<std::byte> pages) const;

  // Of freed units that are kept.
  size_t dirty_bytes() const {
    const MutexLock lock(mutex_);
    return dirty_units_ * unit_bytes_;
  }

 private:
  struct Units {
    size_t first = 0;
    size_t count = 0;
  };

  // Marks `count` units as used; count 0: there are no such. `dirty` gets the stretches of them that may not be zero.
  Units Take(size_t count, std::vector<Units>* dirty);
  // Takes their memory. False: there is none, and they are free again.
  bool CommitOrRelease(Units units);
  // The first dirty units, which are used from then on; count 0: there are none.
  Units TakeDirty();
  void Release(Units units, bool is_dirty) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Span<std::byte> BytesOf(Units units) const;

  const RegionWindow window_;
  const size_t unit_bytes_;

  mutable Mutex mutex_;
  UnitBitmap used_ ABSL_GUARDED_BY(mutex_);
  UnitBitmap dirty_ ABSL_GUARDED_BY(mutex_);  // Free, and maybe not zero.
  size_t dirty_units_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t max_dirty_units_ ABSL_GUARDED_BY(mutex_) = kMaxDirtyBytes / kUnitBytes;
  size_t first_free_ ABSL_GUARDED_BY(mutex_) = 0;  // Nothing before it is free.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_PAGE_RUNS_H_
