#include "ipc_shm/internal/arena_memory.h"

#include <utility>

#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/internal/mapped_regions.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

ArenaMemory::ArenaMemory(const MemoryRequest& request, Access access, std::shared_ptr<const ServerArena> server_arena)
    : request_(request), access_(access), server_arena_(std::move(server_arena)) {}

Pages ArenaMemory::pages() const { return PagesOf(request_.arena_pages); }

void ArenaMemory::OfferServers(MemoryOffer& offer) const {
  if (server_arena_ != nullptr) OfferServerArena(*server_arena_, offer);
}

absl::Status ArenaMemory::MapServers(ReceivedMemory& received, size_t places) {
  SLUICE_ASSIGN_OR_RETURN(server_window_, MapServerArena(received, places, access_, pages()));
  return absl::OkStatus();
}

void ArenaMemory::Use(std::unique_ptr<PagedArena> arena, RegionWindow own, RegionWindow peer) {
  arena->SetDecay(request_.arena_decay);
  arena_ = std::move(arena);
  own_ = std::move(own);
  peer_ = std::move(peer);
}

std::shared_ptr<MessageStore> ArenaMemory::Open(ReleaseCounters counters, std::weak_ptr<RegionExchange> exchange) {
  std::shared_ptr<SegmentStore> store =
      SegmentStore::Create(std::move(arena_), own_, peer_, std::move(counters),
                           {.server_arena = server_arena_ != nullptr ? server_arena_->arena.lending : nullptr,
                            .server_window = std::move(server_window_),
                            .exchange = std::move(exchange)});
  store_ = store;
  return store;
}

absl::Status ArenaMemory::AdoptLater(absl::StatusOr<ReceivedRegion> region, uint64_t address) {
  const std::shared_ptr<SegmentStore> store = store_.lock();
  if (store == nullptr) return absl::OkStatus();  // Nobody borrows any more.
  return store->lending_arena()->AdoptLater(std::move(region), address, access_, pages());
}

std::optional<MemoryUsage> ArenaMemory::Usage() const {
  const std::shared_ptr<SegmentStore> store = store_.lock();
  if (store == nullptr) return std::nullopt;
  return store->Usage();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
