#include "ipc_shm/internal/server_arenas.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_shm/hash.h"
#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/internal/mapped_regions.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/region.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

void OfferServerArena(const ServerArena& arena, MemoryOffer& offer) {
  const Region& region = *arena.arena.lending->own().region;
  offer.regions.push_back({.fd = arena.arena.for_peers, .bytes = region.size()});
  offer.places.push_back(region.address());
}

absl::StatusOr<RegionWindow> MapServerArena(ReceivedMemory& received, size_t places, Access access, Pages pages) {
  if (received.regions.size() == 1) return RegionWindow();
  if (received.regions.size() != 2 || received.places.size() != places + 1) {
    return absl::DataLossError(absl::StrCat("the server sent ", received.regions.size(), " regions at ",
                                            received.places.size(), " places, where at most 2 are due, at ",
                                            places + 1));
  }
  return MapArena(std::move(received.regions[1]), access, received.places.back(), pages);
}

absl::StatusOr<std::shared_ptr<const ServerArena>> ServerArenas::Make(absl::string_view client_app,
                                                                      uint64_t limit_bytes,
                                                                      const std::string& run_folder) {
  LendingArena::SweepEnded();  // One of these names may have ended. Without the lock: destructors run.
  const MutexLock lock(mutex_);
  if (const auto found = arenas_.find(client_app); found != arenas_.end()) return found->second;
  absl::StatusOr<std::shared_ptr<const ServerArena>> arena = Create(client_app, limit_bytes, run_folder);
  if (arena.ok()) arenas_.emplace(client_app, *arena);
  return arena;
}

std::shared_ptr<const ServerArena> ServerArenas::Find(absl::string_view client_app) const {
  const MutexLock lock(mutex_);
  const auto found = arenas_.find(client_app);
  return found == arenas_.end() ? nullptr : found->second;
}

absl::StatusOr<std::shared_ptr<const ServerArena>> ServerArenas::Create(absl::string_view client_app,
                                                                        uint64_t limit_bytes,
                                                                        const std::string& run_folder) const {
  const std::string name = absl::StrCat("the arena of server ", app_, " for clients ", client_app);
  const uint64_t bytes = StandaloneArena::RegionBytesFor(limit_bytes);
  const size_t count = AddressWindow::SlotsFor(bytes);
  constexpr size_t kNamedSlots = AddressWindow::kSlots - AddressWindow::kFirstNamedSlot;
  if (count > kNamedSlots || bytes > Region::kMaxBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name, " has ", limit_bytes, " bytes, for which there are no ", "addresses; give it less"));
  }
  const std::string names = absl::StrCat(app_, "/", geteuid(), "/", client_app);
  const size_t first =
      AddressWindow::kFirstNamedSlot + HashBytes(names.data(), names.size()) % (kNamedSlots - count + 1);
  SLUICE_ASSIGN_OR_RETURN(SlotLock slots, SlotLock::Acquire(run_folder, first, count, name));
  absl::StatusOr<Reservation> place = Reservation::At(AddressWindow::AddressOf(first), bytes);
  if (!place.ok()) return WithContext(place.status(), name);
  SLUICE_ASSIGN_OR_RETURN(StandaloneArena arena, StandaloneArena::Create(kind_, "sluice-server-arena", limit_bytes,
                                                                         options_, *std::move(place)));
  return std::make_shared<const ServerArena>(ServerArena{.slots = std::move(slots), .arena = std::move(arena)});
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
