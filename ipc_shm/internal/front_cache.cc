#include "ipc_shm/internal/front_cache.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// How much a list takes from its source at once.
constexpr size_t kBatchBytes = 4096;
constexpr size_t kMaxBatchBlocks = 64;

constexpr size_t BatchOf(size_t class_bytes) { return std::min(kMaxBatchBlocks, kBatchBytes / class_bytes); }

uint64_t NextId() {
  static constinit std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;  // A number of its own; orders nothing.
}

}  // namespace

constinit thread_local FrontCache::Recent FrontCache::recent_[kRecent] = {};

FrontCache::Balance FrontCache::Lists::balance(const SizeClasses& classes) const {
  Balance sum;
  for (size_t i = 0; i < SizeClasses::kCount; ++i) {
    const Tally tally = of[i].tally.load(std::memory_order_relaxed);
    sum.blocks += taken[i].load(std::memory_order_relaxed) - tally.count();
    sum.bytes += tally.bytes();
    sum.cached_bytes += tally.count() * classes.FootprintOf((i + 1) * SizeClasses::kStepBytes);
  }
  return sum;
}

class FrontCache::Shared {
 public:
  Shared(Source& source, SizeClasses classes) : classes_(classes), source_(&source) {}

  // For the calling thread; lives until that removes it, or the cache ends.
  Lists* Add() {
    auto lists = std::make_unique<Lists>();
    const MutexLock lock(mutex_);
    all_.push_back(std::move(lists));
    return all_.back().get();
  }

  // The lists' thread ends: their blocks go back.
  void Remove(Lists* lists) {
    const MutexLock lock(mutex_);
    if (source_ == nullptr) return;
    GiveAllBack(*lists, *source_);
    const Balance last = lists->balance(classes_);
    ended_.bytes += last.bytes;
    ended_.blocks += last.blocks;
    all_.erase(std::find_if(all_.begin(), all_.end(), [&](const auto& each) { return each.get() == lists; }));
  }

  // The cache ends: nobody touches its source any more.
  void Close() {
    const MutexLock lock(mutex_);
    source_ = nullptr;
    all_.clear();
  }

  bool IsClosed() const {
    const MutexLock lock(mutex_);
    return source_ == nullptr;
  }

  // Of a thread without lists.
  void Count(int64_t bytes, int64_t blocks) {
    const MutexLock lock(mutex_);
    ended_.bytes += bytes;
    ended_.blocks += blocks;
  }

  Balance balance() const {
    const MutexLock lock(mutex_);
    Balance sum = ended_;
    for (const auto& lists : all_) {
      const Balance more = lists->balance(classes_);
      sum.bytes += more.bytes;
      sum.blocks += more.blocks;
      sum.cached_bytes += more.cached_bytes;
    }
    return sum;
  }

  // False: they were empty.
  bool GiveAllBack(Lists& lists, Source& source) const {
    bool any = false;
    for (size_t i = 0; i < SizeClasses::kCount; ++i) {
      List& list = lists.of[i];
      const Tally tally = list.tally.load(std::memory_order_relaxed);
      const uint32_t count = tally.count();
      if (count == 0) continue;
      any = true;
      source.GiveBack(classes_.RoomFor((i + 1) * SizeClasses::kStepBytes),
                      absl::MakeConstSpan(list.blocks.get(), count));
      Lists::Add(lists.taken[i], -static_cast<int64_t>(count));
      list.tally.store(tally.Plus(-int64_t{count}, 0), std::memory_order_relaxed);
    }
    return any;
  }

 private:
  const SizeClasses classes_;
  mutable Mutex mutex_;                     // Before the source's.
  Source* source_ ABSL_GUARDED_BY(mutex_);  // Null: the cache has ended.
  Balance ended_ ABSL_GUARDED_BY(mutex_);   // Of threads that have ended.
  // The lists' content is their thread's.
  std::vector<std::unique_ptr<Lists>> all_ ABSL_GUARDED_BY(mutex_);
};

class FrontCache::Thread {
 public:
  // Null: the calling thread is ending.
  static Thread* Get() {
    static constinit thread_local bool has_ended = false;
    static thread_local Thread thread(&has_ended);
    return has_ended ? nullptr : &thread;
  }

  Lists* Find(const std::shared_ptr<Shared>& shared) {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.shared == shared; });
    if (found != entries_.end()) return found->lists;
    std::erase_if(entries_, [](const Entry& entry) { return entry.shared->IsClosed(); });
    entries_.push_back({shared, shared->Add()});
    return entries_.back().lists;
  }

 private:
  struct Entry {
    std::shared_ptr<Shared> shared;
    Lists* lists;  // Gone if the cache has ended.
  };

  explicit Thread(bool* has_ended) : has_ended_(has_ended) {}

  ~Thread() {
    *has_ended_ = true;
    std::fill(std::begin(recent_), std::end(recent_), Recent());
    // A forked child has no arenas, and its copy of a lock may be held for ever.
    if (fork_guard_.InForkedChild()) return;
    for (const Entry& entry : entries_) entry.shared->Remove(entry.lists);
  }

  bool* const has_ended_;
  std::vector<Entry> entries_;
  const ForkGuard fork_guard_;
};

FrontCache::FrontCache(Source& source, size_t list_bytes, SizeClasses classes)
    : id_(NextId()),
      classes_(classes),
      list_bytes_(list_bytes),
      source_(source),
      shared_(std::make_shared<Shared>(source, classes)) {}

FrontCache::~FrontCache() {
  if (!fork_guard_.InForkedChild()) shared_->Close();
}

FrontCache::Lists* FrontCache::FindSlowly() {
  Thread* const thread = Thread::Get();
  if (thread == nullptr) return nullptr;
  Lists* const lists = thread->Find(shared_);
  recent_[id_ % kRecent] = {id_, lists};
  return lists;
}

FrontCache::List& FrontCache::ListOf(Lists& lists, size_t bytes) const {
  List& list = lists.of[SizeClasses::IndexOf(bytes)];
  if (list.capacity == 0) {
    const size_t class_bytes = classes_.RoomFor(bytes);
    const size_t capacity =
        std::min<size_t>(std::max(list_bytes_ / class_bytes, BatchOf(class_bytes)), Tally::kMaxCount);
    list.blocks = std::make_unique_for_overwrite<void*[]>(capacity);
    list.capacity = static_cast<uint32_t>(capacity);
  }
  return list;
}

void* FrontCache::AllocateSlowly(size_t bytes) {
  Lists* const lists = FindSlowly();
  if (lists == nullptr) {
    void* block = nullptr;
    if (source_.TakeBlocks(classes_.RoomFor(bytes), absl::MakeSpan(&block, 1)) == 0) return nullptr;
    shared_->Count(static_cast<int64_t>(bytes), 1);
    return block;
  }
  List& list = ListOf(*lists, bytes);
  Tally tally = list.tally.load(std::memory_order_relaxed);
  if (tally.count() == 0) {
    const size_t class_bytes = classes_.RoomFor(bytes);
    void** const begin = list.blocks.get();
    const size_t count = source_.TakeBlocks(class_bytes, absl::MakeSpan(begin, BatchOf(class_bytes)));
    // The first of them is the first to be used.
    std::reverse(begin, begin + count);
    Lists::Add(lists->taken[SizeClasses::IndexOf(bytes)], static_cast<int64_t>(count));
    tally = tally.Plus(static_cast<int64_t>(count), 0);
    list.tally.store(tally, std::memory_order_relaxed);
    if (count == 0) return nullptr;
  }
  return Pop(list, tally, bytes);
}

void FrontCache::FreeSlowly(void* block, size_t bytes) {
  Lists* const lists = FindSlowly();
  if (lists == nullptr) {
    source_.GiveBack(classes_.RoomFor(bytes), absl::MakeConstSpan(&block, 1));
    return shared_->Count(-static_cast<int64_t>(bytes), -1);
  }
  List& list = ListOf(*lists, bytes);
  Tally tally = list.tally.load(std::memory_order_relaxed);
  if (tally.count() == list.capacity) {
    // Those that were not used for longest.
    void** const begin = list.blocks.get();
    const uint32_t old = (tally.count() + 1) / 2;
    source_.GiveBack(classes_.RoomFor(bytes), absl::MakeConstSpan(begin, old));
    std::copy(begin + old, begin + tally.count(), begin);
    Lists::Add(lists->taken[SizeClasses::IndexOf(bytes)], -static_cast<int64_t>(old));
    tally = tally.Plus(-int64_t{old}, 0);
  }
  Push(list, tally, block, bytes);
}

bool FrontCache::FlushThread() {
  Lists* const lists = FindSlowly();
  return lists != nullptr && shared_->GiveAllBack(*lists, source_);
}

FrontCache::Balance FrontCache::balance() const { return shared_->balance(); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
