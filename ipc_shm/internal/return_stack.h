// The way back of blocks that another process frees.

#ifndef SLUICE_IPC_SHM_INTERNAL_RETURN_STACK_H_
#define SLUICE_IPC_SHM_INTERNAL_RETURN_STACK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/region_window.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A block as its owner knows it again: it lies in its window, at a multiple of the least block.
struct ReturnedBlock {
  std::byte* address = nullptr;
  size_t bytes = 0;
};

// A stack through `ArenaHeader::returned`: any process that maps the region for writing pushes, the owner takes all of
// it at once. Nobody waits: whoever is stopped or killed in the middle of a push delays no other, and what it was about
// to push is lost until the region ends.
class ReturnStack {
 public:
  // What a block must have room for; blocks lie at multiples of it.
  static constexpr size_t kLeastBytes = 16;

  // `block` of `bytes`, which `owner` allocated and nobody uses any more. Any thread of any process.
  static void Push(ArenaHeader& owner, void* block, size_t bytes);

  static bool IsEmpty(const ArenaHeader& own) {
    return own.returned.load(std::memory_order_relaxed) == 0;  // What is pushed now is taken next time.
  }

  // For the owner: empties the stack; returns what `BlocksOf` wants.
  static uint64_t TakeAll(ArenaHeader& own) {
    // Acquire: pairs with the release of each push that is in the stack.
    return own.returned.exchange(0, std::memory_order_acquire);
  }

  // Blocks of `window`, each once; not read any more. What a peer scribbled there ends the walk, which takes
  // `max_blocks` at most. That they are live blocks of this size is for the owner to find out.
  static std::vector<ReturnedBlock> BlocksOf(uint64_t taken, const RegionWindow& window, size_t max_blocks);
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_RETURN_STACK_H_
