#include "ipc_shm/internal/paged_arena.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "ipc_shm/internal/full_arena.h"
#include "ipc_shm/internal/return_stack.h"
#include "ipc_shm/process_limit.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// A list of the front cache holds this part of the limit, within bounds; there are some 60 in each thread.
constexpr size_t kCacheListsPerLimit = 1024;
constexpr size_t kMinCacheListBytes = size_t{1} << 10;
constexpr size_t kMaxCacheListBytes = size_t{64} << 10;

// How often in its decay an arena in use gives back what is due.
constexpr int64_t kLooksPerDecay = 16;

int64_t CoarseNow() { return NowNanos(CLOCK_MONOTONIC_COARSE); }

}  // namespace

absl::StatusOr<std::unique_ptr<PagedArena>> PagedArena::Create(RegionWindow window, size_t limit_bytes,
                                                               MakeHeap make_heap, ArenaPlace place) {
  if (window.bytes < WindowBytesFor(limit_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("an arena of ", limit_bytes, " bytes needs a window of ",
                                                   WindowBytesFor(limit_bytes), ", not ", window.bytes));
  }
  auto runs = std::make_unique<PageRuns>(window);
  SLUICE_ASSIGN_OR_RETURN(std::unique_ptr<SmallHeap> heap, make_heap(*runs));
  std::unique_ptr<PagedArena> arena(
      new PagedArena(std::move(window), limit_bytes, std::move(runs), std::move(heap), std::move(place)));
  if (arena->place_.header != nullptr) {
    if (!ArenaRegistry::Add(arena->place_.header, arena.get())) arena->place_.header = nullptr;
    if (arena->place_.peer_header != nullptr) ArenaRegistry::AddIfFree(arena->place_.peer_header, arena.get());
  }
  return arena;
}

PagedArena::PagedArena(RegionWindow window, size_t limit_bytes, std::unique_ptr<PageRuns> runs,
                       std::unique_ptr<SmallHeap> heap, ArenaPlace place)
    : window_begin_(reinterpret_cast<uintptr_t>(window.data())),
      window_bytes_(window.bytes),
      limit_bytes_(limit_bytes),
      place_(std::move(place)),
      window_(std::move(window)),
      runs_(std::move(runs)),
      heap_(std::move(heap)),
      supply_(*this),
      cache_(supply_, std::clamp(limit_bytes / kCacheListsPerLimit, kMinCacheListBytes, kMaxCacheListBytes),
             heap_->size_classes()) {}

PagedArena::~PagedArena() {
  ArenaRegistry::Remove(place_.header, this);
  ArenaRegistry::Remove(place_.peer_header, this);
  GiveBackToLimit(taken_bytes_.load(std::memory_order_relaxed));  // What is live ends with the region.
}

void PagedArena::SetDecay(absl::Duration decay) {
  decay_nanos_ =
      decay == absl::InfiniteDuration() ? std::numeric_limits<int64_t>::max() : absl::ToInt64Nanoseconds(decay);
  if (decay_nanos_ == 0) runs_->KeepNone();
  heap_->SetDecay(decay);
}

void PagedArena::NoteUse() const { used_at_.store(CoarseNow(), std::memory_order_relaxed); }

bool PagedArena::IsIdle() const {
  const int64_t used_at = used_at_.load(std::memory_order_relaxed);
  return used_at != 0 && CoarseNow() - used_at >= decay_nanos_;
}

void PagedArena::Purge(bool all) {
  if (all) {
    cache_.FlushThread();
    used_at_.store(0, std::memory_order_relaxed);  // First: what is freed from here on is noted again.
    heap_->Purge(/*all=*/true);
    return runs_->PunchFree();
  }
  const int64_t now = CoarseNow();
  if (used_at_.load(std::memory_order_relaxed) == 0 || now < decays_at_.load(std::memory_order_relaxed)) return;
  decays_at_.store(now + decay_nanos_ / kLooksPerDecay, std::memory_order_relaxed);
  heap_->Purge(/*all=*/false);
}

absl::Status PagedArena::CheckRequest(size_t bytes, size_t alignment) {
  if (bytes == 0) return absl::InvalidArgumentError("a block of an arena has at least 1 byte, not 0");
  if (!std::has_single_bit(alignment) || alignment > kMaxAlignment) {
    return absl::InvalidArgumentError(
        absl::StrCat("a block's alignment is a power of two up to ", kMaxAlignment, ", not ", alignment));
  }
  return absl::OkStatus();
}

absl::StatusOr<void*> PagedArena::Allocate(size_t bytes, size_t alignment) {
  if (void* const block = TryAllocate(bytes, alignment)) return block;
  SLUICE_RETURN_IF_ERROR(CheckRequest(bytes, alignment));
  return Full(bytes);
}

absl::StatusOr<void*> PagedArena::AllocateZeroed(size_t bytes, size_t alignment) {
  if (SizeClasses::Holds(bytes)) {
    SLUICE_ASSIGN_OR_RETURN(void* const block, Allocate(bytes, alignment));
    return std::memset(block, 0, bytes);
  }
  if (void* const block = AllocateSlowly(bytes, alignment, /*zeroed=*/true)) return block;
  SLUICE_RETURN_IF_ERROR(CheckRequest(bytes, alignment));
  return Full(bytes);
}

void* PagedArena::AllocateSlowly(size_t bytes, size_t alignment, bool zeroed) {
  if (!CheckRequest(bytes, alignment).ok()) return nullptr;
  void* const block = AllocateOnce(bytes, alignment, zeroed);
  if (block != nullptr) return block;
  Collect();
  cache_.FlushThread();
  if (Quarantine::kIsOn) {
    for (const Quarantine::Block& old : quarantine_.TakeAll()) FreeSmall(old.address, old.bytes);
  }
  return AllocateOnce(bytes, alignment, zeroed);
}

void* PagedArena::AllocateOnce(size_t bytes, size_t alignment, bool zeroed) {
  const size_t footprint = FootprintOf(bytes);
  if (TakeFromLimit(footprint, 1) == 0) return nullptr;
  absl::Cleanup give_back = [&] { GiveBackToLimit(footprint); };
  void* const block = bytes >= kLargeBytes
                          ? AllocateLarge(bytes, zeroed)
                          : heap_->Allocate(RoomFor(bytes), std::max(alignment, SizeClasses::kAlignment), zeroed);
  if (block == nullptr) return nullptr;
  std::move(give_back).Cancel();
  direct_bytes_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  direct_blocks_.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void* PagedArena::AllocateLarge(size_t bytes, bool zeroed) {
  bool is_zero;
  const absl::Span<std::byte> run = zeroed ? runs_->AllocateZeroed(bytes) : runs_->Allocate(bytes, &is_zero);
  if (run.empty()) return nullptr;
  absl::Cleanup free = [&] { runs_->Free(run); };
  large_blocks_.Add(run.data(), run.size());
  std::move(free).Cancel();
  return run.data();
}

size_t PagedArena::TakeFromLimit(size_t bytes, size_t count) {
  size_t taken = taken_bytes_.load(std::memory_order_relaxed);
  size_t allowed;
  do {
    allowed = std::min(count, (limit_bytes_ - taken) / bytes);
    if (allowed == 0) return 0;
  } while (!taken_bytes_.compare_exchange_weak(taken, taken + allowed * bytes, std::memory_order_relaxed));
  const size_t of_process = TakeFromProcess(bytes, allowed);
  taken_bytes_.fetch_sub((allowed - of_process) * bytes, std::memory_order_relaxed);
  NoteUse();
  return of_process;
}

void PagedArena::GiveBackToLimit(size_t bytes) const {
  size_t taken = taken_bytes_.load(std::memory_order_relaxed);
  size_t given;
  do {
    given = std::min(taken, bytes);  // Never below 0: a peer may lie about a block's size.
  } while (!taken_bytes_.compare_exchange_weak(taken, taken - given, std::memory_order_relaxed));
  GiveBackToProcess(given);
  NoteUse();
}

size_t PagedArena::Supply::TakeBlocks(size_t bytes, absl::Span<void*> blocks) {
  arena_.Collect();
  const size_t footprint = arena_.FootprintOf(bytes);
  const size_t allowed = arena_.TakeFromLimit(footprint, blocks.size());
  if (allowed == 0) return 0;
  size_t taken = 0;
  const absl::Cleanup give_back = [&] { arena_.GiveBackToLimit((allowed - taken) * footprint); };
  taken = arena_.heap_->AllocateMany(bytes, SizeClasses::kAlignment, blocks.first(allowed));
  return taken;
}

void PagedArena::Supply::GiveBack(size_t bytes, absl::Span<void* const> blocks) {
  arena_.heap_->FreeMany(bytes, blocks);
  arena_.GiveBackToLimit(arena_.FootprintOf(bytes) * blocks.size());
}

absl::Status PagedArena::Full(size_t bytes) const {
  const shm::ProcessUsage process = shm::GetProcessUsage();
  if (bytes > process.limit_bytes - std::min(process.used_bytes, process.limit_bytes)) {
    return absl::ResourceExhaustedError(absl::StrCat("the arenas of this process have no room for ", bytes,
                                                     " bytes: ", process.used_bytes, " of ", process.limit_bytes,
                                                     " are taken; free some, or raise shm::SetProcessLimit"));
  }
  const shm::ArenaStats now = stats();
  return absl::ResourceExhaustedError(
      absl::StrCat("the arena has no room for ", bytes, " bytes: ", now.allocated_bytes, " of its ", now.limit_bytes,
                   " are allocated, in ", now.live_allocations, " blocks", FullArenaRemedy(runs_->is_committed())));
}

void PagedArena::FreeSlowly(void* block, size_t bytes) {
  if (!IsOwn(block)) return FreeForPeer(block, bytes);
  CountFreed(bytes);
  if (bytes >= kLargeBytes) {
    large_blocks_.Remove(block, runs_->RoundUp(bytes));
    FreeLarge(block, bytes);
  } else if (Quarantine::kIsOn) {
    for (const Quarantine::Block& old : quarantine_.Add({block, RoomFor(bytes)})) FreeSmall(old.address, old.bytes);
  } else {
    FreeSmall(block, bytes);
  }
}

void PagedArena::FreeLarge(void* block, size_t bytes) const {
  runs_->Free(absl::MakeSpan(static_cast<std::byte*>(block), runs_->RoundUp(bytes)));
  GiveBackToLimit(bytes);
}

void PagedArena::FreeSmall(void* block, size_t bytes) {
  heap_->Free(block, RoomFor(bytes));
  GiveBackToLimit(FootprintOf(bytes));
}

void PagedArena::FreeForPeer(void* block, size_t bytes) {
  const RegionWindow& window = place_.peer_window;
  // Where the peer's objects lead is not to be trusted.
  if (place_.peer_header == nullptr ||
      !window.Contains(window.OffsetOf(block), std::max(bytes, ReturnStack::kLeastBytes)) ||
      reinterpret_cast<uintptr_t>(block) % ReturnStack::kLeastBytes != 0) {
    return;
  }
  ReturnStack::Push(*place_.peer_header, block, bytes);
}

void PagedArena::Collect() const {
  if (place_.header == nullptr || ReturnStack::IsEmpty(*place_.header)) return;
  const uint64_t taken = ReturnStack::TakeAll(*place_.header);
  // Each block in there still counts towards the limit.
  const size_t most = taken_bytes_.load(std::memory_order_relaxed) / SizeClasses::kAlignment;
  for (const ReturnedBlock& block : ReturnStack::BlocksOf(taken, window_, most)) {
    if (block.bytes >= kLargeBytes) {
      if (!large_blocks_.Remove(block.address, runs_->RoundUp(block.bytes))) continue;
      FreeLarge(block.address, block.bytes);
    } else {
      if (!heap_->FreeIfLive(block.address, RoomFor(block.bytes))) continue;
      GiveBackToLimit(FootprintOf(block.bytes));
    }
    CountFreed(block.bytes);
  }
}

void PagedArena::CountFreed(size_t bytes) const {
  direct_blocks_.fetch_sub(1, std::memory_order_relaxed);
  direct_bytes_.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
}

void PagedArena::LargeBlocks::Add(void* block, size_t runs_bytes) {
  const MutexLock lock(mutex_);
  size_t& bytes = runs_bytes_[block];
  bytes_ += runs_bytes - bytes;
  bytes = runs_bytes;
}

bool PagedArena::LargeBlocks::Remove(void* block, size_t runs_bytes) {
  const MutexLock lock(mutex_);
  const auto found = runs_bytes_.find(block);
  if (found == runs_bytes_.end() || found->second != runs_bytes) return false;
  bytes_ -= runs_bytes;
  runs_bytes_.erase(found);
  return true;
}

size_t PagedArena::LargeBlocks::bytes() const {
  const MutexLock lock(mutex_);
  return bytes_;
}

size_t PagedArena::Shrink(void* block, size_t bytes, size_t used) {
  // It must stay large, since its size tells where it came from.
  const size_t kept = runs_->RoundUp(used < kLargeBytes ? kLargeBytes : used);
  if (bytes < kLargeBytes || kept >= runs_->RoundUp(bytes)) return bytes;
  large_blocks_.Add(block, kept);
  runs_->Free(absl::MakeSpan(static_cast<std::byte*>(block) + kept, runs_->RoundUp(bytes) - kept));
  direct_bytes_.fetch_sub(static_cast<int64_t>(bytes - kept), std::memory_order_relaxed);
  GiveBackToLimit(bytes - kept);
  return kept;
}

shm::ArenaStats PagedArena::stats() const {
  Collect();
  const FrontCache::Balance cached = cache_.balance();
  // Of a block that one thread allocates and another one frees meanwhile, the sum may know the latter alone.
  const auto sum = [](int64_t a, int64_t b) { return static_cast<size_t>(std::max<int64_t>(a + b, 0)); };
  const SmallHeap::Pages heap = heap_->pages();
  const size_t dirty_runs_bytes = runs_->dirty_bytes();
  return {.allocated_bytes = sum(cached.bytes, direct_bytes_.load(std::memory_order_relaxed)),
          .live_allocations = sum(cached.blocks, direct_blocks_.load(std::memory_order_relaxed)),
          .limit_bytes = limit_bytes_,
          .cached_bytes = cached.cached_bytes,
          .committed_bytes = heap.committed_bytes + large_blocks_.bytes() + dirty_runs_bytes,
          .dirty_bytes = heap.dirty_bytes + dirty_runs_bytes};
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
