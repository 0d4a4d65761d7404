// Arenas in a region at an equal address, as both sides of a session have them.

#ifndef SLUICE_IPC_SHM_TESTING_PLACED_ARENA_H_
#define SLUICE_IPC_SHM_TESTING_PLACED_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/fd.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

inline constexpr size_t kPlacedArenaLimit = size_t{8} << 20;

// A region with one side's arena. Failures end the program.
class PlacedArena {
 public:
  using MakeArena = absl::StatusOr<std::unique_ptr<::ipc::internal::PagedArena>> (*)(
      ::ipc::internal::RegionWindow window, size_t limit_bytes, ::ipc::internal::ArenaPlace place);

  // The simplest kind, which takes nothing back from the other side.
  static absl::StatusOr<std::unique_ptr<::ipc::internal::PagedArena>> MakeSimplest(::ipc::internal::RegionWindow window,
                                                                                   size_t limit_bytes,
                                                                                   ::ipc::internal::ArenaPlace place);

  // The region, and the arena of the side that makes it.
  static PlacedArena Create(MakeArena make_arena = &MakeSimplest);
  // The other side's arena in the region that was made at `address`.
  static PlacedArena Join(Fd memfd, uint64_t address, MakeArena make_arena = &MakeSimplest);

  ::ipc::internal::PagedArena& arena() const { return *arena_; }
  const Region& region() const { return *region_; }
  uint64_t address() const { return reinterpret_cast<uintptr_t>(region_->data()); }
  // Blocks that are allocated.
  size_t blocks() const { return arena_->stats().live_allocations; }
  // Ends the arena; the region stays.
  void Close() { arena_.reset(); }

 private:
  PlacedArena(Region region, size_t side, MakeArena make_arena);

  std::shared_ptr<const Region> region_;
  std::unique_ptr<::ipc::internal::PagedArena> arena_;
};

// The region that was made at `address`, mapped there for reading only.
Region MapPlacedReadOnly(Fd memfd, uint64_t address);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_PLACED_ARENA_H_
