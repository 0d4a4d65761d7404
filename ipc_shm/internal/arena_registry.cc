#include "ipc_shm/internal/arena_registry.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

std::atomic<PagedArena*> ArenaRegistry::arenas_[kPlaces] = {};

bool ArenaRegistry::Add(const ArenaHeader* header, PagedArena* arena) {
  const size_t place = PlaceOf(header);
  if (place >= kPlaces) return false;
  arenas_[place].store(arena, std::memory_order_release);  // Pairs with `Find`.
  return true;
}

bool ArenaRegistry::AddIfFree(const ArenaHeader* header, PagedArena* arena) {
  const size_t place = PlaceOf(header);
  if (place >= kPlaces) return false;
  PagedArena* none = nullptr;
  arenas_[place].compare_exchange_strong(none, arena, std::memory_order_release,  // Pairs with `Find`.
                                         std::memory_order_relaxed);
  return true;
}

void ArenaRegistry::Remove(const ArenaHeader* header, PagedArena* arena) {
  const size_t place = PlaceOf(header);
  if (place >= kPlaces) return;
  // Relaxed: whoever finds nothing has nothing to read.
  arenas_[place].compare_exchange_strong(arena, nullptr, std::memory_order_relaxed);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
