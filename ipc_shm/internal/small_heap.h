// The part of an arena that differs between its kinds: the heap of blocks below Arena::kLargeBytes.

#ifndef SLUICE_IPC_SHM_INTERNAL_SMALL_HEAP_H_
#define SLUICE_IPC_SHM_INTERNAL_SMALL_HEAP_H_

#include <cstddef>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Stands on page runs, which end with it: it need not give them back. Any thread.
class SmallHeap {
 public:
  virtual ~SmallHeap() = default;

  // `bytes` > 0 at `alignment`, a power of two up to Arena::kMaxAlignment; all zero if `zeroed`. Null: there is no
  // room.
  virtual void* Allocate(size_t bytes, size_t alignment, bool zeroed) = 0;

  // `bytes`: as they were asked for.
  virtual void Free(void* block, size_t bytes) = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_SMALL_HEAP_H_
