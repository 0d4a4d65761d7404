#include "ipc_shm/testing/placed_arena.h"

#include <bit>
#include <new>
#include <utility>

#include "absl/types/span.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::ArenaHeader;
using ::ipc::internal::ArenaPlace;
using ::ipc::internal::ArenaRegistry;
using ::ipc::internal::Mutex;
using ::ipc::internal::MutexLock;
using ::ipc::internal::PagedArena;
using ::ipc::internal::PageRuns;
using ::ipc::internal::RegionWindow;
using ::ipc::internal::Reservation;
using ::ipc::internal::SmallHeap;

constexpr size_t kWindowBytes = ::ipc::internal::WindowBytesFor(kPlacedArenaLimit);
constexpr size_t kRegionBytes = ArenaRegistry::kHeaderBytes + 2 * kWindowBytes;

// Powers of two, each with its list of free blocks. No block is aligned to more than its size.
class PowersHeap final : public SmallHeap {
 public:
  explicit PowersHeap(PageRuns& runs) : runs_(runs) {}

  void* Allocate(size_t bytes, size_t alignment, bool zeroed) override {
    if (zeroed) return nullptr;
    const size_t rounded = Round(bytes < alignment ? alignment : bytes);
    const MutexLock lock(mutex_);
    FreeBlock*& list = lists_[std::countr_zero(rounded)];
    if (list == nullptr) {
      const absl::Span<std::byte> run = runs_.AllocateZeroed(runs_.RoundUp(rounded));
      for (size_t at = 0; at + rounded <= run.size(); at += rounded) list = new (run.data() + at) FreeBlock{list};
      if (list == nullptr) return nullptr;
    }
    FreeBlock* const block = list;
    list = block->next;
    return block;
  }

  void Free(void* block, size_t bytes) override {
    const size_t rounded = Round(bytes);
    const MutexLock lock(mutex_);
    FreeBlock*& list = lists_[std::countr_zero(rounded)];
    list = new (block) FreeBlock{list};
  }

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  static size_t Round(size_t bytes) { return std::bit_ceil(bytes < sizeof(FreeBlock) ? sizeof(FreeBlock) : bytes); }

  PageRuns& runs_;
  Mutex mutex_;
  FreeBlock* lists_[32] = {};
};

}  // namespace

PlacedArena::PlacedArena(Region region, size_t side, MakeArena make_arena)
    : region_(std::make_shared<const Region>(std::move(region))) {
  const auto window = [&](size_t of) {
    return RegionWindow{
        .region = region_, .offset = ArenaRegistry::kHeaderBytes + of * kWindowBytes, .bytes = kWindowBytes};
  };
  ArenaHeader* const headers = reinterpret_cast<ArenaHeader*>(region_->data());
  arena_ =
      *make_arena(window(side), kPlacedArenaLimit,
                  {.header = headers + side, .peer_header = headers + (1 - side), .peer_window = window(1 - side)});
}

absl::StatusOr<std::unique_ptr<PagedArena>> PlacedArena::MakeSimplest(RegionWindow window, size_t limit_bytes,
                                                                      ArenaPlace place) {
  return PagedArena::Create(
      std::move(window), limit_bytes, [](PageRuns& runs) { return std::make_unique<PowersHeap>(runs); },
      std::move(place));
}

PlacedArena PlacedArena::Create(MakeArena make_arena) {
  Region region = *Region::Create("placed-arena", Sharing::kManyWriters, *Reservation::Anywhere(kRegionBytes));
  new (region.data()) ArenaHeader[2];
  return PlacedArena(std::move(region), 0, make_arena);
}

PlacedArena PlacedArena::Join(Fd memfd, uint64_t address, MakeArena make_arena) {
  return PlacedArena(*Region::Map(std::move(memfd), Access::kReadWrite, Sharing::kManyWriters,
                                  *Reservation::At(address, kRegionBytes)),
                     1, make_arena);
}

Region MapPlacedReadOnly(Fd memfd, uint64_t address) {
  return *Region::Map(std::move(memfd), Access::kReadOnly, Sharing::kManyWriters,
                      *Reservation::At(address, kRegionBytes));
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
