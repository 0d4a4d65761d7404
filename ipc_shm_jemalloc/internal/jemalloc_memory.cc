#include "ipc_shm_jemalloc/internal/jemalloc_memory.h"

#include <iterator>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "ipc_shm/internal/mapped_regions.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm_jemalloc/arena.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

JemallocMemory::JemallocMemory(const MemoryRequest& request, std::shared_ptr<const ServerArena> server_arena)
    : ArenaMemory(request, Access::kReadOnly, std::move(server_arena)) {}

// Places of a client: where its own region lies, then others for both. Of a server: its own region's, the client's.
absl::StatusOr<MemoryOffer> JemallocMemory::Offer() {
  if (is_client()) {
    places_ = ReservePlaces(RegionBytesFor(arena_bytes()));
    const std::vector<uint64_t> addresses = AddressesOf(places_);
    if (!places_.empty()) places_.erase(places_.begin());  // Free for the own region, the first.
    SLUICE_RETURN_IF_ERROR(MakeRegion(addresses));
  }
  MemoryOffer offer = {.regions = {{.fd = for_peer_, .bytes = own_->size()}}, .places = {own_->address()}};
  if (!is_client()) offer.places.push_back(peers_->address());
  absl::c_copy(AddressesOf(places_), std::back_inserter(offer.places));
  OfferServers(offer);
  return offer;
}

absl::Status JemallocMemory::MakeRegion(absl::Span<const uint64_t> places) {
  SLUICE_ASSIGN_OR_RETURN(own_,
                          internal::MakeRegion("sluice-jemalloc", RegionBytesFor(arena_bytes()), places, pages()));
  SLUICE_ASSIGN_OR_RETURN(for_peer_, own_->OpenReadOnly());
  return absl::OkStatus();
}

absl::Status JemallocMemory::MoveTo(uint64_t address) {
  if (own_->address() == address) return absl::OkStatus();
  const auto found = absl::c_find_if(places_, [&](const Reservation& place) { return place.address() == address; });
  if (found == places_.end()) return absl::OkStatus();  // The server has no room for it: it borrows no objects.
  SLUICE_ASSIGN_OR_RETURN(own_, MoveRegion(*own_, std::move(*found)));
  return absl::OkStatus();
}

absl::Status JemallocMemory::MakeArena() {
  RegionWindow own = WindowBehindHeaders(own_, is_committed());
  SLUICE_ASSIGN_OR_RETURN(
      auto arena, shm::jemalloc::CreateArena(own, arena_bytes(), {.header = ArenaRegistry::HeaderIn(own_->data(), 0)}));
  Use(std::move(arena), std::move(own), WindowBehindHeaders(peers_));
  return absl::OkStatus();
}

absl::Status JemallocMemory::Adopt(ReceivedMemory received) {
  if (received.regions.empty() || (!is_client() && received.regions.size() != 1)) {
    return absl::DataLossError(
        absl::StrCat("the peer of a jemalloc session sent ", received.regions.size(), " regions, where 1 is due"));
  }
  if (received.places.empty()) return absl::DataLossError("the peer does not say where its region lies");
  ReceivedRegion& region = received.regions[0];
  if (region.bytes <= ArenaRegistry::kHeaderBytes) {
    return absl::DataLossError(
        absl::StrCat("the peer's jemalloc region has ", region.bytes, " bytes, which hold none"));
  }
  if (!is_client()) {
    SLUICE_ASSIGN_OR_RETURN(peers_, MapReceivedAtOneOf(std::move(region), Access::kReadOnly, received.places, pages()));
    SLUICE_RETURN_IF_ERROR(MakeRegion(absl::MakeConstSpan(received.places).subspan(1)));
    return MakeArena();
  }
  if (received.places.size() < 2) return absl::DataLossError("the server does not say where it has this side's region");
  SLUICE_RETURN_IF_ERROR(MoveTo(received.places[1]));
  SLUICE_ASSIGN_OR_RETURN(peers_, MapReceived(std::move(region), Access::kReadOnly, received.places[0],
                                              std::exchange(places_, {}), pages()));
  SLUICE_RETURN_IF_ERROR(MapServers(received, /*places=*/2));
  return MakeArena();
}

std::shared_ptr<const SessionMemoryFactory> JemallocKind::Factory(std::shared_ptr<ServerArenas> arenas) {
  return std::make_shared<const ArenaMemoryFactory<JemallocMemory>>(std::move(arenas));
}

StandaloneArena::Kind JemallocKind::ArenaKind() { return {.create = shm::jemalloc::CreateArena, .peers_write = false}; }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
