#include "ipc_shm_classic/internal/classic_memory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/mapped_regions.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/server_arenas.h"
#include "ipc_shm_classic/arena.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

class ClassicFactory final : public SessionMemoryFactory {
 public:
  explicit ClassicFactory(std::shared_ptr<ServerArenas> arenas) : arenas_(std::move(arenas)) {}

  MemoryKind kind() const override { return MemoryKind::kClassic; }
  absl::StatusOr<std::shared_ptr<SessionMemory>> Create(const MemoryRequest& request) const override {
    return ClassicMemory::Create(request, arenas_ != nullptr ? arenas_->Find(request.client_app) : nullptr);
  }

 private:
  const std::shared_ptr<ServerArenas> arenas_;
};

}  // namespace

std::shared_ptr<SessionMemory> ClassicMemory::Create(const MemoryRequest& request,
                                                     std::shared_ptr<const ServerArena> server_arena) {
  return std::shared_ptr<SessionMemory>(new ClassicMemory(request, std::move(server_arena)));
}

absl::StatusOr<MemoryOffer> ClassicMemory::Offer() {
  if (side_ == Side::kClient) {
    places_ = ReservePlaces(RegionBytesFor(arena_bytes_));
    return MemoryOffer{.places = AddressesOf(places_)};
  }
  MemoryOffer offer = {.regions = {{.fd = own_.region->fd(), .bytes = own_.region->size()}},
                       .places = {own_.region->address()}};
  if (server_arena_ != nullptr) OfferServerArena(*server_arena_, offer);
  return offer;
}

absl::Status ClassicMemory::Adopt(ReceivedMemory received) {
  const size_t due = side_ == Side::kServer ? 0 : 1;
  if (received.regions.size() < due || (due == 0 && !received.regions.empty())) {
    return absl::DataLossError(absl::StrCat("the peer of a classic session sent ", received.regions.size(),
                                            " regions, where ", due, " are due"));
  }
  if (side_ == Side::kClient) return MapRegion(std::move(received));
  SLUICE_ASSIGN_OR_RETURN(
      auto region, MakeRegion("sluice-classic", RegionBytesFor(arena_bytes_), received.places, PagesOf(arena_pages_)));
  return Use(std::move(region));
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
                                                   std::exchange(places_, {}), PagesOf(arena_pages_)));
  SLUICE_ASSIGN_OR_RETURN(server_window_,
                          MapServerArena(received, /*places=*/1, Access::kReadWrite, PagesOf(arena_pages_)));
  return Use(std::move(mapped));
}

absl::Status ClassicMemory::Use(std::shared_ptr<const Region> region) {
  constexpr size_t kBegin = ArenaRegistry::kHeaderBytes;
  const size_t half = (region->size() - kBegin) / 2;
  const size_t own = side_ == Side::kServer ? 0 : 1;
  // Of huge pages, what was not committed kills at its first touch.
  const bool is_committed = arena_pages_ != ArenaPages::kOnTouch;
  own_ = {.region = region, .offset = kBegin + own * half, .bytes = half, .is_committed = is_committed};
  peer_ = {.region = region, .offset = kBegin + (1 - own) * half, .bytes = half};
  SLUICE_ASSIGN_OR_RETURN(
      auto arena, shm::classic::CreateArena(own_, std::min<size_t>(arena_bytes_, half / kWindowBytesPerLimitByte),
                                            {.header = ArenaRegistry::HeaderIn(region->data(), own),
                                             .peer_header = ArenaRegistry::HeaderIn(region->data(), 1 - own),
                                             .peer_window = peer_}));
  arena->SetDecay(arena_decay_);
  arena_ = std::move(arena);
  return absl::OkStatus();
}

std::shared_ptr<MessageStore> ClassicMemory::Open(ReleaseCounters counters, std::weak_ptr<RegionExchange> exchange) {
  std::shared_ptr<SegmentStore> store =
      SegmentStore::Create(std::move(arena_), own_, peer_, std::move(counters),
                           {.server_arena = server_arena_ != nullptr ? server_arena_->arena.lending : nullptr,
                            .server_window = std::move(server_window_),
                            .exchange = std::move(exchange)});
  store_ = store;
  return store;
}

absl::Status ClassicMemory::AdoptLater(absl::StatusOr<ReceivedRegion> region, uint64_t address) {
  const std::shared_ptr<SegmentStore> store = store_.lock();
  if (store == nullptr) return absl::OkStatus();  // Nobody borrows any more.
  return store->lending_arena()->AdoptLater(std::move(region), address, Access::kReadWrite, PagesOf(arena_pages_));
}

std::optional<MemoryUsage> ClassicMemory::Usage() const {
  const std::shared_ptr<SegmentStore> store = store_.lock();
  if (store == nullptr) return std::nullopt;
  return store->Usage();
}

std::shared_ptr<const SessionMemoryFactory> ClassicKind::Factory(std::shared_ptr<ServerArenas> arenas) {
  return std::make_shared<const ClassicFactory>(std::move(arenas));
}

StandaloneArena::Kind ClassicKind::ArenaKind() { return {.create = shm::classic::CreateArena, .peers_write = true}; }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
