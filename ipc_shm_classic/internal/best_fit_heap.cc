#include "ipc_shm_classic/internal/best_fit_heap.h"

#include <algorithm>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_shm/internal/size_classes.h"
#include "ipc_shm/internal/unit_bitmap.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using Tree = boost::interprocess::rbtree_best_fit<boost::interprocess::null_mutex_family, void*>;

constexpr size_t kNaturalAlignment = alignof(std::max_align_t);
constexpr size_t kPageBytes = 4096;

// What a tree adds to a block; and the room in its smallest, which must do for a node once it is free.
constexpr size_t kHeadBytes = Tree::PayloadPerAllocation;
constexpr size_t kLeastBytes = 40;

// A stretch of the heap: a tree while it is in use, untouched addresses otherwise. One thread.
class Chunk {
 public:
  explicit Chunk(absl::Span<std::byte> memory) : memory_(memory) {}

  enum class State { kUnused, kInUse, kPunched };

  State state() const { return state_; }
  absl::Span<std::byte> memory() const { return memory_; }
  bool is_empty() const { return live_count_ == 0; }
  // In pages that it has: as far as blocks have ever reached, or all.
  size_t committed_bytes() const { return committed_bytes_; }

  // Whether a block would fit if there were no other.
  bool MayHold(size_t bytes, size_t alignment) const { return bytes + alignment + kTreeBytes <= memory_.size(); }

  // `is_committed`: all of its memory is there.
  void Open(bool is_committed) {
    live_.emplace(memory_.size() / kNaturalAlignment);
    state_ = State::kInUse;
    tree_ = new (memory_.data()) Tree(memory_.size(), 0);
    refused_ = memory_.size();
    committed_bytes_ = is_committed ? memory_.size() : kPageBytes;
  }

  // It is empty.
  void Close(State state) {
    state_ = state;
    if (state == State::kUnused) committed_bytes_ = 0;
    tree_ = nullptr;
    live_.reset();
  }

  void* Allocate(size_t bytes, size_t alignment) {
    const bool is_natural = alignment <= kNaturalAlignment;
    // An aligned block is looked for where it fits anywhere.
    if ((is_natural ? bytes : bytes + alignment) >= refused_) return nullptr;
    void* const block = is_natural ? tree_->allocate(bytes) : AllocateAligned(bytes, alignment);
    if (block == nullptr) {
      if (is_natural) refused_ = bytes;
      return nullptr;
    }
    live_->Set(PlaceOf(block), 1);
    ++live_count_;
    ReachTo(static_cast<std::byte*>(block) + bytes);
    return block;
  }

  // False, and nothing happens: it is no live block.
  bool Free(void* block) {
    if ((static_cast<std::byte*>(block) - memory_.data()) % kNaturalAlignment != 0) return false;
    const size_t place = PlaceOf(block);
    if (live_->CountSet(place, 1) == 0) return false;
    live_->Clear(place, 1);
    --live_count_;
    refused_ = memory_.size();
    if (const auto whole = wholes_.find(block); whole != wholes_.end()) {
      tree_->deallocate(whole->second);
      wholes_.erase(whole);
    } else {
      tree_->deallocate(block);
    }
    return true;
  }

 private:
  // Newer versions of Boost align only what they find room for twice; a larger block is aligned within a natural one.
  void* AllocateAligned(size_t bytes, size_t alignment) {
    if (void* const block = tree_->allocate_aligned(bytes, alignment)) return block;
    const size_t whole_bytes = bytes + alignment - kNaturalAlignment;
    auto* const whole = static_cast<std::byte*>(tree_->allocate(whole_bytes));
    if (whole == nullptr) return nullptr;
    ReachTo(whole + whole_bytes);
    std::byte* const block = whole + (-reinterpret_cast<uintptr_t>(whole) & (alignment - 1));
    if (block != whole) wholes_.emplace(block, whole);
    return block;
  }

  void ReachTo(const std::byte* end) {
    const auto bytes = static_cast<size_t>(end - memory_.data());
    committed_bytes_ = std::max(committed_bytes_, (bytes + kPageBytes - 1) / kPageBytes * kPageBytes);
  }

  size_t PlaceOf(const void* block) const {
    return static_cast<size_t>(static_cast<const std::byte*>(block) - memory_.data()) / kNaturalAlignment;
  }

  // More than its tree takes beside blocks.
  static constexpr size_t kTreeBytes = 1024;

  absl::Span<std::byte> memory_;
  State state_ = State::kUnused;    // kPunched: not to be used until its pages are gone.
  Tree* tree_ = nullptr;            // At the start of the memory.
  std::optional<UnitBitmap> live_;  // Where live blocks begin.
  std::map<void*, void*> wholes_;   // From live blocks that begin inside one of the tree's to that one.
  size_t live_count_ = 0;
  size_t committed_bytes_ = 0;
  size_t refused_ = 0;  // There was no room for a block of this size, and none was freed since.
};

class BestFitHeap final : public SmallHeap {
 public:
  BestFitHeap(PageRuns& runs, absl::Span<std::byte> memory) : runs_(runs), begin_(memory.data()) {
    for (size_t offset = 0; offset < memory.size(); offset += kBestFitChunkBytes) {
      chunks_.emplace_back(memory.subspan(offset, kBestFitChunkBytes));
    }
  }

  Pages pages() const override {
    const MutexLock lock(mutex_);
    return {.committed_bytes = committed_bytes_, .dirty_bytes = spare_ == nullptr ? 0 : spare_->committed_bytes()};
  }

  SizeClasses size_classes() const override { return SizeClasses(kHeadBytes, kLeastBytes); }

  void* Allocate(size_t bytes, size_t alignment, bool zeroed) override {
    void* block = nullptr;
    AllocateMany(bytes, alignment, absl::MakeSpan(&block, 1));
    if (block != nullptr && zeroed) std::memset(block, 0, bytes);
    return block;
  }

  void Free(void* block, size_t /*bytes*/) override { FreeMany(0, absl::MakeConstSpan(&block, 1)); }

  bool FreeIfLive(void* block, size_t /*bytes*/) override {
    Chunk* emptied = nullptr;
    {
      const MutexLock lock(mutex_);
      if (!FreeOne(block, &emptied)) return false;
    }
    Punch(emptied);
    return true;
  }

  void SetDecay(absl::Duration decay) override { keeps_spare_ = decay > absl::ZeroDuration(); }

  void Purge(bool all) override {
    if (!all) return;
    Chunk* spare;
    {
      const MutexLock lock(mutex_);
      spare = std::exchange(spare_, nullptr);
      if (spare != nullptr) spare->Close(Chunk::State::kPunched);
    }
    Punch(spare);
  }

  size_t AllocateMany(size_t bytes, size_t alignment, absl::Span<void*> blocks) override {
    const MutexLock lock(mutex_);
    size_t count = 0;
    while (count < blocks.size() && (blocks[count] = AllocateOne(bytes, alignment)) != nullptr) ++count;
    return count;
  }

  void FreeMany(size_t /*bytes*/, absl::Span<void* const> blocks) override {
    for (size_t i = 0; i < blocks.size();) {
      Chunk* emptied = nullptr;
      {
        const MutexLock lock(mutex_);
        while (i < blocks.size() && emptied == nullptr) FreeOne(blocks[i++], &emptied);
      }
      Punch(emptied);
    }
  }

 private:
  void* AllocateOne(size_t bytes, size_t alignment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (void* const block = AllocateIn(current_, bytes, alignment)) return block;
    // The lowest that has room, so that higher ones become empty.
    Chunk* unused = nullptr;
    for (Chunk& chunk : chunks_) {
      if (chunk.state() == Chunk::State::kUnused && unused == nullptr && chunk.MayHold(bytes, alignment)) {
        unused = &chunk;
      }
      if (&chunk == spare_) continue;
      if (void* const block = AllocateIn(&chunk, bytes, alignment)) return block;
    }
    if (void* const block = AllocateIn(spare_, bytes, alignment)) return block;
    if (unused == nullptr || !runs_.Commit(unused->memory())) return nullptr;
    unused->Open(runs_.is_committed());
    committed_bytes_ += unused->committed_bytes();
    return AllocateIn(unused, bytes, alignment);
  }

  // Null: there is no room, or the chunk is null or not in use.
  void* AllocateIn(Chunk* chunk, size_t bytes, size_t alignment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (chunk == nullptr || chunk->state() != Chunk::State::kInUse) return nullptr;
    const size_t before = chunk->committed_bytes();
    void* const block = chunk->Allocate(bytes, alignment);
    if (block == nullptr) return nullptr;
    committed_bytes_ += chunk->committed_bytes() - before;
    current_ = chunk;
    if (spare_ == chunk) spare_ = nullptr;
    return block;
  }

  // False: no live block. `*emptied` gets the chunk that is to be punched now, if there is one.
  bool FreeOne(void* block, Chunk** emptied) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const size_t i = static_cast<size_t>(static_cast<std::byte*>(block) - begin_) / kBestFitChunkBytes;
    if (i >= chunks_.size()) return false;
    Chunk& chunk = chunks_[i];
    if (chunk.state() != Chunk::State::kInUse || !chunk.Free(block)) return false;
    if (!chunk.is_empty()) return true;
    if (keeps_spare_ && spare_ == nullptr) {
      spare_ = &chunk;
    } else {
      chunk.Close(Chunk::State::kPunched);
      *emptied = &chunk;
    }
    return true;
  }

  // Gives the pages back, without the lock: it takes its time.
  void Punch(Chunk* emptied) {
    if (emptied == nullptr) return;
    runs_.Punch(emptied->memory());
    const MutexLock lock(mutex_);
    committed_bytes_ -= emptied->committed_bytes();
    emptied->Close(Chunk::State::kUnused);
  }

  PageRuns& runs_;
  std::byte* const begin_;
  bool keeps_spare_ = true;

  mutable Mutex mutex_;
  std::vector<Chunk> chunks_;                           // Each guarded by `mutex_`, but for one that is being punched.
  Chunk* current_ ABSL_GUARDED_BY(mutex_) = nullptr;    // Had room last.
  Chunk* spare_ ABSL_GUARDED_BY(mutex_) = nullptr;      // In use, and empty.
  size_t committed_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // Of all chunks.
};

}  // namespace

absl::StatusOr<std::unique_ptr<SmallHeap>> CreateBestFitHeap(PageRuns& runs, size_t bytes) {
  const absl::Span<std::byte> memory = runs.Reserve(bytes);
  if (memory.empty()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the arena's region has no run of ", bytes, " bytes for its heap"));
  }
  return std::make_unique<BestFitHeap>(runs, memory);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
