// The part of an arena that differs between its kinds: the heap of blocks below Arena::kLargeBytes.

#ifndef SLUICE_IPC_SHM_INTERNAL_SMALL_HEAP_H_
#define SLUICE_IPC_SHM_INTERNAL_SMALL_HEAP_H_

#include <cstddef>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_shm/internal/size_classes.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Stands on page runs, which end with it: it need not give them back. Any thread.
class SmallHeap {
 public:
  virtual ~SmallHeap() = default;

  struct Pages {
    size_t committed_bytes = 0;  // That hold blocks or are kept for some, as far as they were touched.
    size_t dirty_bytes = 0;      // Of those, without blocks.
  };
  virtual Pages pages() const { return {}; }

  // Of its small blocks; always the same.
  virtual SizeClasses size_classes() const { return SizeClasses(); }

  // `bytes` > 0 at `alignment`, a power of two up to Arena::kMaxAlignment; all zero if `zeroed`. Null: there is no
  // room.
  virtual void* Allocate(size_t bytes, size_t alignment, bool zeroed) = 0;

  // `bytes`: as they were asked for.
  virtual void Free(void* block, size_t bytes) = 0;

  // Frees a block of at least `bytes` that another process names. False, and nothing happens: it is no live block.
  virtual bool FreeIfLive(void* /*block*/, size_t /*bytes*/) { return false; }

  // Fills the front of `blocks` with blocks of `bytes` > 0 at `alignment`; returns how many there was room for.
  virtual size_t AllocateMany(size_t bytes, size_t alignment, absl::Span<void*> blocks) {
    size_t count = 0;
    while (count < blocks.size() && (blocks[count] = Allocate(bytes, alignment, false)) != nullptr) ++count;
    return count;
  }

  // Frees blocks of `bytes` each.
  virtual void FreeMany(size_t bytes, absl::Span<void* const> blocks) {
    for (void* const block : blocks) Free(block, bytes);
  }

  // How long what is free is kept for its next use; as PagedArena. Before any other call.
  virtual void SetDecay(absl::Duration /*decay*/) {}

  // Gives what is free back to its runs or to the system: `all`, or as much as is due by its decay.
  virtual void Purge(bool /*all*/) {}
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_SMALL_HEAP_H_
