#include "ipc_shm_jemalloc/internal/jemalloc_memory.h"

#include <iterator>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/mapped_regions.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/server_arenas.h"
#include "ipc_shm_jemalloc/arena.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

class JemallocFactory final : public SessionMemoryFactory {
 public:
  explicit JemallocFactory(std::shared_ptr<ServerArenas> arenas) : arenas_(std::move(arenas)) {}

  MemoryKind kind() const override { return MemoryKind::kJemalloc; }
  absl::StatusOr<std::shared_ptr<SessionMemory>> Create(const MemoryRequest& request) const override {
    return JemallocMemory::Create(request, arenas_ != nullptr ? arenas_->Find(request.client_app) : nullptr);
  }

 private:
  const std::shared_ptr<ServerArenas> arenas_;
};

}  // namespace

std::shared_ptr<SessionMemory> JemallocMemory::Create(const MemoryRequest& request,
                                                      std::shared_ptr<const ServerArena> server_arena) {
  return std::shared_ptr<SessionMemory>(new JemallocMemory(request, std::move(server_arena)));
}

// Places of a client: where its own region lies, then others for both. Of a server: its own region's, the client's.
absl::StatusOr<MemoryOffer> JemallocMemory::Offer() {
  if (side_ == Side::kClient) {
    places_ = ReservePlaces(RegionBytesFor(arena_bytes_));
    std::vector<uint64_t> first;
    if (!places_.empty()) {
      first.push_back(places_.front().address());
      places_.erase(places_.begin());
    }
    SLUICE_RETURN_IF_ERROR(MakeRegion(first));
  }
  MemoryOffer offer = {.regions = {{.fd = for_peer_, .bytes = own_.region->size()}},
                       .places = {own_.region->address()}};
  if (side_ == Side::kServer) offer.places.push_back(peer_.region->address());
  absl::c_copy(AddressesOf(places_), std::back_inserter(offer.places));
  if (server_arena_ != nullptr) OfferServerArena(*server_arena_, offer);
  return offer;
}

absl::Status JemallocMemory::MakeRegion(absl::Span<const uint64_t> places) {
  SLUICE_ASSIGN_OR_RETURN(auto region, internal::MakeRegion("sluice-jemalloc", RegionBytesFor(arena_bytes_), places,
                                                            PagesOf(arena_pages_)));
  own_ = WindowBehindHeaders(std::move(region), arena_pages_ != ArenaPages::kOnTouch);
  SLUICE_ASSIGN_OR_RETURN(for_peer_, own_.region->OpenReadOnly());
  return absl::OkStatus();
}

absl::Status JemallocMemory::MoveTo(uint64_t address) {
  if (own_.region->address() == address) return absl::OkStatus();
  const auto found = absl::c_find_if(places_, [&](const Reservation& place) { return place.address() == address; });
  if (found == places_.end()) return absl::OkStatus();  // It found no room: only its own objects can be borrowed.
  SLUICE_ASSIGN_OR_RETURN(auto region, MoveRegion(*own_.region, std::move(*found)));
  own_.region = std::move(region);
  return absl::OkStatus();
}

absl::Status JemallocMemory::MakeArena() {
  SLUICE_ASSIGN_OR_RETURN(
      auto arena,
      shm::jemalloc::CreateArena(own_, arena_bytes_, {.header = ArenaRegistry::HeaderIn(own_.region->data(), 0)}));
  arena->SetDecay(arena_decay_);
  arena_ = std::move(arena);
  return absl::OkStatus();
}

absl::Status JemallocMemory::Adopt(ReceivedMemory received) {
  if (received.regions.empty() || (side_ == Side::kServer && received.regions.size() != 1)) {
    return absl::DataLossError(
        absl::StrCat("the peer of a jemalloc session sent ", received.regions.size(), " regions, where 1 is due"));
  }
  if (received.places.empty()) return absl::DataLossError("the peer does not say where its region lies");
  ReceivedRegion& region = received.regions[0];
  if (region.bytes <= ArenaRegistry::kHeaderBytes) {
    return absl::DataLossError(
        absl::StrCat("the peer's jemalloc region has ", region.bytes, " bytes, which hold none"));
  }
  if (side_ == Side::kServer) {
    SLUICE_ASSIGN_OR_RETURN(
        auto mapped, MapReceivedAtOneOf(std::move(region), Access::kReadOnly, received.places, PagesOf(arena_pages_)));
    peer_ = WindowBehindHeaders(std::move(mapped));
    SLUICE_RETURN_IF_ERROR(MakeRegion(absl::MakeConstSpan(received.places).subspan(1)));
    return MakeArena();
  }
  if (received.places.size() < 2) return absl::DataLossError("the server does not say where it has this side's region");
  SLUICE_RETURN_IF_ERROR(MoveTo(received.places[1]));
  SLUICE_ASSIGN_OR_RETURN(auto mapped, MapReceived(std::move(region), Access::kReadOnly, received.places[0],
                                                   std::exchange(places_, {}), PagesOf(arena_pages_)));
  peer_ = WindowBehindHeaders(std::move(mapped));
  SLUICE_ASSIGN_OR_RETURN(server_window_,
                          MapServerArena(received, /*places=*/2, Access::kReadOnly, PagesOf(arena_pages_)));
  return MakeArena();
}

std::shared_ptr<MessageStore> JemallocMemory::Open(ReleaseCounters counters, std::weak_ptr<RegionExchange> exchange) {
  std::shared_ptr<SegmentStore> store =
      SegmentStore::Create(std::move(arena_), own_, peer_, std::move(counters),
                           {.server_arena = server_arena_ != nullptr ? server_arena_->arena.lending : nullptr,
                            .server_window = std::move(server_window_),
                            .exchange = std::move(exchange)});
  store_ = store;
  return store;
}

absl::Status JemallocMemory::AdoptLater(absl::StatusOr<ReceivedRegion> region, uint64_t address) {
  const std::shared_ptr<SegmentStore> store = store_.lock();
  if (store == nullptr) return absl::OkStatus();  // Nobody borrows any more.
  return store->lending_arena()->AdoptLater(std::move(region), address, Access::kReadOnly, PagesOf(arena_pages_));
}

std::optional<MemoryUsage> JemallocMemory::Usage() const {
  const std::shared_ptr<SegmentStore> store = store_.lock();
  if (store == nullptr) return std::nullopt;
  return store->Usage();
}

std::shared_ptr<const SessionMemoryFactory> JemallocKind::Factory(std::shared_ptr<ServerArenas> arenas) {
  return std::make_shared<const JemallocFactory>(std::move(arenas));
}

StandaloneArena::Kind JemallocKind::ArenaKind() { return {.create = shm::jemalloc::CreateArena, .peers_write = false}; }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
