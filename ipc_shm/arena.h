// An arena: an allocator over shared memory of one owner.

#ifndef SLUICE_IPC_SHM_ARENA_H_
#define SLUICE_IPC_SHM_ARENA_H_

#include <cstddef>

#include "absl/status/statusor.h"

namespace ipc {
inline namespace sluice_0 {

namespace internal {
struct ArenaHeader;
}  // namespace internal

namespace shm {

// Of one process's arena. Each figure is exact while no thread allocates or frees.
struct ArenaStats {
  size_t allocated_bytes = 0;  // In live allocations, as asked for.
  size_t live_allocations = 0;
  size_t limit_bytes = 0;  // What `allocated_bytes` may come to.

  // In free blocks that threads keep for their next allocations.
  size_t cached_bytes = 0;
  // In pages that hold blocks or are kept for some: what the arena takes of the machine's memory, but for pages of
  // large blocks that nobody has touched yet.
  size_t committed_bytes = 0;
  // Of those, in pages that hold no block.
  size_t dirty_bytes = 0;

  // Of what is committed, all that is neither allocated nor cached nor dirty: gaps between blocks, and what sizes are
  // rounded up by.
  size_t fragmented_bytes() const {
    const size_t known = allocated_bytes + cached_bytes + dirty_bytes;
    return committed_bytes > known ? committed_bytes - known : 0;
  }
};

// Allocates for this process alone; no call ever waits for another process. Any thread. Destroying it changes nothing
// in memory: blocks end with the region, when nobody maps it any more.
class Arena {
 public:
  // Blocks of this size and more are whole pages, which go back to the system when they are freed.
  static constexpr size_t kLargeBytes = size_t{1} << 20;
  static constexpr size_t kMaxAlignment = 4096;

  virtual ~Arena() = default;

  // `bytes` > 0 at `alignment`, a power of two. RESOURCE_EXHAUSTED: the arena is full; the text has its figures and the
  // option to raise. INVALID_ARGUMENT: size 0, or no such alignment.
  virtual absl::StatusOr<void*> Allocate(size_t bytes, size_t alignment) = 0;

  // The same, all zero; does not touch pages that are zero already.
  virtual absl::StatusOr<void*> AllocateZeroed(size_t bytes, size_t alignment) = 0;

  // Frees what was allocated with `bytes`, or was shrunk to them.
  virtual void Free(void* block, size_t bytes) = 0;

  // Takes back what can be taken of a block behind its first `used` > 0 bytes; returns the block's new size.
  virtual size_t Shrink(void* block, size_t bytes, size_t used) = 0;

  virtual ArenaStats stats() const = 0;

  // Whether it was used, and then not for its decay (SessionOptions::arena_decay). What threads' caches do by
  // themselves is no use.
  virtual bool IsIdle() const = 0;

  // Gives memory of free blocks back to the system: `all`, with what this thread's cache holds, or as much as is due.
  virtual void Purge(bool all) = 0;

  // What containers in it hold (allocator.h); null: it can have none, since its region has no equal address in both
  // processes.
  virtual const internal::ArenaHeader* header() const = 0;
};

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_ARENA_H_
