// Freed blocks that the address sanitizer is to see nobody use; in other builds there are none.

#ifndef SLUICE_IPC_SHM_INTERNAL_QUARANTINE_H_
#define SLUICE_IPC_SHM_INTERNAL_QUARANTINE_H_

#include <cstddef>
#include <deque>
#include <vector>

#include "absl/base/config.h"
#include "absl/base/thread_annotations.h"
#include "ipc_util/internal/mutex.h"

#if defined(ABSL_HAVE_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#endif

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Keeps freed blocks for a while, poisoned, and lets the oldest go. Any thread.
class Quarantine {
 public:
#if defined(ABSL_HAVE_ADDRESS_SANITIZER)
  static constexpr bool kIsOn = true;
#else
  static constexpr bool kIsOn = false;
#endif

  struct Block {
    void* address;
    size_t bytes;
  };

  ~Quarantine() { TakeAll(); }

  // Takes `block` in; returns those that leave, which are the caller's to free.
  std::vector<Block> Add(Block block) {
    Poison(block);
    const MutexLock lock(mutex_);
    blocks_.push_back(block);
    bytes_ += block.bytes;
    return TakeDownTo(kMaxBytes);
  }

  // The same of all that are in it.
  std::vector<Block> TakeAll() {
    const MutexLock lock(mutex_);
    return TakeDownTo(0);
  }

 private:
  static constexpr size_t kMaxBytes = size_t{1} << 20;

  static void Poison([[maybe_unused]] const Block& block) {
#if defined(ABSL_HAVE_ADDRESS_SANITIZER)
    __asan_poison_memory_region(block.address, block.bytes);
#endif
  }
  static void Unpoison([[maybe_unused]] const Block& block) {
#if defined(ABSL_HAVE_ADDRESS_SANITIZER)
    __asan_unpoison_memory_region(block.address, block.bytes);
#endif
  }

  std::vector<Block> TakeDownTo(size_t most_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<Block> leaving;
    while (bytes_ > most_bytes) {
      leaving.push_back(blocks_.front());
      Unpoison(leaving.back());
      bytes_ -= leaving.back().bytes;
      blocks_.pop_front();
    }
    return leaving;
  }

  Mutex mutex_;
  std::deque<Block> blocks_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_QUARANTINE_H_
