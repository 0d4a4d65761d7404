// Small blocks that a thread freed, for its next allocations: what makes an arena as quick as a heap.

#ifndef SLUICE_IPC_SHM_INTERNAL_FRONT_CACHE_H_
#define SLUICE_IPC_SHM_INTERNAL_FRONT_CACHE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/base/optimization.h"
#include "absl/types/span.h"
#include "ipc_shm/internal/size_classes.h"
#include "ipc_util/internal/fork_guard.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Lists of free blocks in front of an arena, by thread and class of size; they lie in private memory, and blocks in
// them are not read or written. A list is filled and emptied in batches. A thread that ends gives its blocks back, if
// the cache still lives; the cache's end forgets them. Any thread; neither call of the quick path has an atomic
// read-modify-write.
class FrontCache {
 public:
  // Where blocks come from. Any thread.
  class Source {
   public:
    virtual ~Source() = default;
    // Fills the front of `blocks` with blocks that have room for `bytes`, as the classes say; returns how many. 0:
    // there is no memory.
    virtual size_t TakeBlocks(size_t bytes, absl::Span<void*> blocks) = 0;
    // Takes such blocks back.
    virtual void GiveBack(size_t bytes, absl::Span<void* const> blocks) = 0;
  };

  // What is allocated through a cache and not freed through it; both may be negative, where blocks go other ways, too.
  struct Balance {
    int64_t bytes = 0;  // As asked for.
    int64_t blocks = 0;
    size_t cached_bytes = 0;  // What the blocks in lists take of the heap.
  };

  // Of at most `list_bytes` in a list. `source` outlives it.
  FrontCache(Source& source, size_t list_bytes, SizeClasses classes);
  ~FrontCache();
  FrontCache(const FrontCache&) = delete;
  FrontCache& operator=(const FrontCache&) = delete;

  const SizeClasses& classes() const { return classes_; }

  // `bytes` that SizeClasses hold; null: the source has no memory.
  void* Allocate(size_t bytes) {
    Lists* const lists = Find();
    if (ABSL_PREDICT_FALSE(lists == nullptr)) return AllocateSlowly(bytes);
    List& list = lists->of[SizeClasses::IndexOf(bytes)];
    const Tally tally = list.tally.load(std::memory_order_relaxed);
    if (ABSL_PREDICT_FALSE(tally.count() == 0)) return AllocateSlowly(bytes);
    return Pop(list, tally, bytes);
  }

  // A block of `bytes` that SizeClasses hold, of the source, and with all the room of its class.
  void Free(void* block, size_t bytes) {
    Lists* const lists = Find();
    if (ABSL_PREDICT_FALSE(lists == nullptr)) return FreeSlowly(block, bytes);
    List& list = lists->of[SizeClasses::IndexOf(bytes)];
    const Tally tally = list.tally.load(std::memory_order_relaxed);
    if (ABSL_PREDICT_FALSE(tally.count() == list.capacity)) return FreeSlowly(block, bytes);
    Push(list, tally, block, bytes);
  }

  // Gives back all blocks that this thread keeps. False: there were none.
  bool FlushThread();

  // Of all threads; exact while no call runs.
  Balance balance() const;

 private:
  // Of one list, in one word: how many blocks are in it, and how many bytes, as asked for, the thread allocated from it
  // more than it freed into it.
  class Tally {
   public:
    static constexpr uint32_t kMaxCount = 0xffff;

    constexpr Tally() = default;
    uint32_t count() const { return static_cast<uint32_t>(word_ & kMaxCount); }
    int64_t bytes() const { return word_ >> kCountBits; }
    Tally Plus(int64_t count, int64_t bytes) const { return Tally(word_ + bytes * (int64_t{1} << kCountBits) + count); }

   private:
    static constexpr int kCountBits = 16;
    explicit constexpr Tally(int64_t word) : word_(word) {}
    int64_t word_ = 0;
  };

  // Of one class; a stack.
  struct List {
    std::unique_ptr<void*[]> blocks;
    // Stored by the list's thread, read by `balance`: it orders nothing.
    std::atomic<Tally> tally{};
    uint32_t capacity = 0;  // At most Tally::kMaxCount. 0: `blocks` is to be made.
  };

  // Of one thread, which alone changes them; `balance` reads the atomics, which order nothing.
  struct Lists {
    std::array<List, SizeClasses::kCount> of;
    // What the source gave and did not get back, by class: in the list, or allocated.
    std::array<std::atomic<int64_t>, SizeClasses::kCount> taken{};

    static void Add(std::atomic<int64_t>& counter, int64_t more) {
      counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }
    Balance balance(const SizeClasses& classes) const;
  };

  static void* Pop(List& list, Tally tally, size_t bytes) {
    list.tally.store(tally.Plus(-1, static_cast<int64_t>(bytes)), std::memory_order_relaxed);
    return list.blocks[tally.count() - 1];
  }
  static void Push(List& list, Tally tally, void* block, size_t bytes) {
    list.blocks[tally.count()] = block;
    list.tally.store(tally.Plus(1, -static_cast<int64_t>(bytes)), std::memory_order_relaxed);
  }

  // What the cache shares with its threads, so that either may end first.
  class Shared;
  // All caches of one thread.
  class Thread;

  // The lists that a thread used last, by the low bits of their cache's id.
  struct Recent {
    uint64_t id = 0;
    Lists* lists = nullptr;
  };
  static constexpr size_t kRecent = 64;
  static constinit thread_local Recent recent_[kRecent];

  // Of this thread, if they were used lately; else null.
  Lists* Find() const {
    const Recent& recent = recent_[id_ % kRecent];
    return ABSL_PREDICT_TRUE(recent.id == id_) ? recent.lists : nullptr;
  }

  // Of this thread, made if it has none; null: the thread is ending.
  Lists* FindSlowly();
  // The list of `bytes`, with its storage.
  List& ListOf(Lists& lists, size_t bytes) const;
  void* AllocateSlowly(size_t bytes);
  void FreeSlowly(void* block, size_t bytes);

  const uint64_t id_;  // Never used again in this process.
  const SizeClasses classes_;
  const size_t list_bytes_;
  Source& source_;
  const std::shared_ptr<Shared> shared_;
  const ForkGuard fork_guard_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_FRONT_CACHE_H_
