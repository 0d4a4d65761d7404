#include "ipc_shm/internal/paged_arena.h"

#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<std::unique_ptr<PagedArena>> PagedArena::Create(RegionWindow window, size_t limit_bytes,
                                                               MakeHeap make_heap, ArenaPlace place) {
  if (window.bytes < WindowBytesFor(limit_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("an arena of ", limit_bytes, " bytes needs a window of ",
                                                   WindowBytesFor(limit_bytes), ", not ", window.bytes));
  }
  std::unique_ptr<PagedArena> arena(new PagedArena(std::move(window), limit_bytes, std::move(place)));
  SLUICE_ASSIGN_OR_RETURN(arena->heap_, make_heap(arena->runs_));
  if (arena->place_.header != nullptr) {
    if (!ArenaRegistry::Add(arena->place_.header, arena.get())) arena->place_.header = nullptr;
    if (arena->place_.peer_header != nullptr) ArenaRegistry::AddIfFree(arena->place_.peer_header, arena.get());
  }
  return arena;
}

PagedArena::PagedArena(RegionWindow window, size_t limit_bytes, ArenaPlace place)
    : limit_bytes_(limit_bytes), place_(std::move(place)), runs_(std::move(window)) {}

PagedArena::~PagedArena() {
  ArenaRegistry::Remove(place_.header, this);
  ArenaRegistry::Remove(place_.peer_header, this);
}

void* PagedArena::TryAllocate(size_t bytes, size_t alignment) {
  return Allocate(bytes, alignment, /*zeroed=*/false).value_or(nullptr);
}

absl::StatusOr<void*> PagedArena::Allocate(size_t bytes, size_t alignment) { return Allocate(bytes, alignment, false); }

absl::StatusOr<void*> PagedArena::AllocateZeroed(size_t bytes, size_t alignment) {
  return Allocate(bytes, alignment, true);
}

absl::StatusOr<void*> PagedArena::Allocate(size_t bytes, size_t alignment, bool zeroed) {
  if (bytes == 0) return absl::InvalidArgumentError("a block of an arena has at least 1 byte, not 0");
  if (!std::has_single_bit(alignment) || alignment > kMaxAlignment) {
    return absl::InvalidArgumentError(
        absl::StrCat("a block's alignment is a power of two up to ", kMaxAlignment, ", not ", alignment));
  }
  if (!TakeFromLimit(bytes)) return Full(bytes);
  void* const block = bytes >= kLargeBytes ? AllocateLarge(bytes, zeroed) : heap_->Allocate(bytes, alignment, zeroed);
  if (block == nullptr) {
    allocated_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    return Full(bytes);
  }
  live_allocations_.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void* PagedArena::AllocateLarge(size_t bytes, bool zeroed) {
  bool is_zero;
  return zeroed ? runs_.AllocateZeroed(bytes).data() : runs_.Allocate(bytes, &is_zero).data();
}

bool PagedArena::TakeFromLimit(size_t bytes) {
  size_t allocated = allocated_bytes_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_bytes_ - allocated) return false;
  } while (!allocated_bytes_.compare_exchange_weak(allocated, allocated + bytes, std::memory_order_relaxed));
  return true;
}

absl::Status PagedArena::Full(size_t bytes) const {
  const shm::ArenaStats now = stats();
  return absl::ResourceExhaustedError(absl::StrCat(
      "the arena has no room for ", bytes, " bytes: ", now.allocated_bytes, " of its ", now.limit_bytes,
      " are allocated, in ", now.live_allocations, " blocks; free some, or raise SessionOptions::arena_bytes"));
}

void PagedArena::Free(void* block, size_t bytes) {
  if (bytes >= kLargeBytes) {
    runs_.Free(absl::MakeSpan(static_cast<std::byte*>(block), PageRuns::RoundUp(bytes)));
  } else {
    heap_->Free(block, bytes);
  }
  live_allocations_.fetch_sub(1, std::memory_order_relaxed);
  allocated_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

size_t PagedArena::Shrink(void* block, size_t bytes, size_t used) {
  // It must stay large, since its size tells where it came from.
  const size_t kept = PageRuns::RoundUp(used < kLargeBytes ? kLargeBytes : used);
  if (bytes < kLargeBytes || kept >= PageRuns::RoundUp(bytes)) return bytes;
  runs_.Free(absl::MakeSpan(static_cast<std::byte*>(block) + kept, PageRuns::RoundUp(bytes) - kept));
  allocated_bytes_.fetch_sub(bytes - kept, std::memory_order_relaxed);
  return kept;
}

shm::ArenaStats PagedArena::stats() const {
  return {.allocated_bytes = allocated_bytes_.load(std::memory_order_relaxed),
          .live_allocations = live_allocations_.load(std::memory_order_relaxed),
          .limit_bytes = limit_bytes_};
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
