#include "ipc_shm_classic/internal/classic_memory.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_shm/internal/mapped_regions.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm_classic/arena.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

ClassicMemory::ClassicMemory(const MemoryRequest& request, std::shared_ptr<const ServerArena> server_arena)
    : ArenaMemory(request, Access::kReadWrite, std::move(server_arena)) {}

absl::StatusOr<MemoryOffer> ClassicMemory::Offer() {
  if (is_client()) {
    places_ = ReservePlaces(RegionBytesFor(arena_bytes()));
    return MemoryOffer{.places = AddressesOf(places_)};
  }
  MemoryOffer offer = {.regions = {{.fd = region_->fd(), .bytes = region_->size()}}, .places = {region_->address()}};
  OfferServers(offer);
  return offer;
}

absl::Status ClassicMemory::Adopt(ReceivedMemory received) {
  const size_t due = is_client() ? 1 : 0;
  if (received.regions.size() < due || (due == 0 && !received.regions.empty())) {
    return absl::DataLossError(absl::StrCat("the peer of a classic session sent ", received.regions.size(),
                                            " regions, where ", due, " are due"));
  }
  if (is_client()) return MapRegion(std::move(received));
  SLUICE_ASSIGN_OR_RETURN(auto region,
                          MakeRegion("sluice-classic", RegionBytesFor(arena_bytes()), received.places, pages()));
  return TakeHalf(std::move(region));
}

absl::Status ClassicMemory::MapRegion(ReceivedMemory received) {
  if (received.places.empty()) return absl::DataLossError("the server does not say where its region lies");
  ReceivedRegion& region = received.regions[0];
  if (region.bytes <= ArenaRegistry::kHeaderBytes ||
      (region.bytes - ArenaRegistry::kHeaderBytes) % (2 * WindowBytesFor(1)) != 0) {
    return absl::DataLossError(absl::StrCat("the server's classic region has ", region.bytes,
                                            " bytes, which are not two halves of whole units"));
  }
  SLUICE_ASSIGN_OR_RETURN(auto mapped, MapReceived(std::move(region), Access::kReadWrite, received.places[0],
                                                   std::exchange(places_, {}), pages()));
  SLUICE_RETURN_IF_ERROR(MapServers(received, /*places=*/1));
  return TakeHalf(std::move(mapped));
}

absl::Status ClassicMemory::TakeHalf(std::shared_ptr<const Region> region) {
  constexpr size_t kBegin = ArenaRegistry::kHeaderBytes;
  region_ = std::move(region);
  const size_t half = (region_->size() - kBegin) / 2;
  const size_t side = is_client() ? 1 : 0;
  const RegionWindow own = {
      .region = region_, .offset = kBegin + side * half, .bytes = half, .is_committed = is_committed()};
  const RegionWindow peer = {.region = region_, .offset = kBegin + (1 - side) * half, .bytes = half};
  SLUICE_ASSIGN_OR_RETURN(
      auto arena, shm::classic::CreateArena(own, std::min<size_t>(arena_bytes(), half / kWindowBytesPerLimitByte),
                                            {.header = ArenaRegistry::HeaderIn(region_->data(), side),
                                             .peer_header = ArenaRegistry::HeaderIn(region_->data(), 1 - side),
                                             .peer_window = peer}));
  Use(std::move(arena), own, peer);
  return absl::OkStatus();
}

std::shared_ptr<const SessionMemoryFactory> ClassicKind::Factory(std::shared_ptr<ServerArenas> arenas) {
  return std::make_shared<const ArenaMemoryFactory<ClassicMemory>>(std::move(arenas));
}

StandaloneArena::Kind ClassicKind::ArenaKind() { return {.create = shm::classic::CreateArena, .peers_write = true}; }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
