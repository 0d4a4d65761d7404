// What an allocator in shared memory points to, and the way from there to the arena in this process.

#ifndef SLUICE_IPC_SHM_INTERNAL_ARENA_REGISTRY_H_
#define SLUICE_IPC_SHM_INTERNAL_ARENA_REGISTRY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ipc_util/internal/address_space.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

class PagedArena;

// One side's arena, as all processes see it that map its region: an object in it that holds the address of the header
// finds its memory in each of them. Lies at the start of a region.
struct alignas(64) ArenaHeader {
  // Where other processes put blocks of this arena that they free; see ReturnStack.
  std::atomic<uint64_t> returned{0};
};
static_assert(sizeof(ArenaHeader) == 64);

// Arenas of this process by their headers. Any thread; a look-up is one load.
class ArenaRegistry {
 public:
  // The headers at the start of a region: one per side of a session that allocates in it.
  static constexpr size_t kHeadersPerRegion = 2;
  // What a region keeps free for them; a whole unit of huge pages, so that what follows is aligned alike.
  static constexpr size_t kHeaderBytes = size_t{2} << 20;

  // Header `index` of the region at `region`. All zero is how it begins.
  static ArenaHeader* HeaderIn(std::byte* region, size_t index) {
    return reinterpret_cast<ArenaHeader*>(region) + index;
  }

  // From now on `header` leads to `arena`, until it is removed. False: it is not at the start of a region that lies in
  // the window of equal addresses, so that it can lead nowhere.
  static bool Add(const ArenaHeader* header, PagedArena* arena);
  // The same unless it leads to another arena already: that of its owner, in this process.
  static bool AddIfFree(const ArenaHeader* header, PagedArena* arena);
  // Nothing happens if it leads to another arena.
  static void Remove(const ArenaHeader* header, PagedArena* arena);

  // Null: none; also for a pointer that is no header's.
  static PagedArena* Find(const ArenaHeader* header) {
    const size_t place = PlaceOf(header);
    // Acquire: pairs with the release in `Add`; the arena was made before.
    return place < kPlaces ? arenas_[place].load(std::memory_order_acquire) : nullptr;
  }

 private:
  static constexpr size_t kPlaces = AddressWindow::kSlots * kHeadersPerRegion;

  // `kPlaces` or more: no header's.
  static size_t PlaceOf(const ArenaHeader* header) {
    const uintptr_t offset = reinterpret_cast<uintptr_t>(header) - AddressWindow::kBegin;
    const uintptr_t index = offset % AddressWindow::kSlotBytes / sizeof(ArenaHeader);
    if (index >= kHeadersPerRegion) return kPlaces;
    return offset / AddressWindow::kSlotBytes * kHeadersPerRegion + index;
  }

  static std::atomic<PagedArena*> arenas_[kPlaces];
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_ARENA_REGISTRY_H_
