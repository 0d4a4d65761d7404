#include "ipc_shm/internal/further_arenas.h"

#include "absl/algorithm/container.h"
#include "ipc_shm/internal/peer_regions.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

void FurtherArenas::AddServers(std::shared_ptr<const LendingArena> arena, RegionWindow window) {
  const MutexLock lock(mutex_);
  arenas_.push_back(
      {.arena = std::move(arena), .window = std::move(window), .number = kServerRegion, .is_announced = true});
}

absl::Status FurtherArenas::Share(std::shared_ptr<const LendingArena> arena, RegionWindow window, FdView for_peer) {
  const std::shared_ptr<RegionExchange> exchange = exchange_.lock();
  if (exchange == nullptr) return absl::CancelledError("the session was closed on this side");
  const MutexLock lock(mutex_);
  if (absl::c_any_of(arenas_, [&](const Further& further) { return further.arena == arena; })) return absl::OkStatus();
  SLUICE_ASSIGN_OR_RETURN(const uint32_t number, exchange->Announce({.fd = for_peer, .bytes = window.region->size()},
                                                                    window.region->address()));
  arenas_.push_back({.arena = std::move(arena), .window = std::move(window), .number = number});
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> FurtherArenas::NumberOf(const LendingArena& arena) {
  const MutexLock lock(mutex_);
  const auto found = absl::c_find_if(arenas_, [&](const Further& further) { return further.arena.get() == &arena; });
  if (found == arenas_.end()) {
    return absl::InvalidArgumentError(
        "the object lies in an arena that the peer does not have: an arena of its own, which is to be shared with this "
        "session first (Share); or that of another session, or a server's for others, or one of a server that was made "
        "after the session opened");
  }
  if (!found->is_announced) {
    const std::shared_ptr<RegionExchange> exchange = exchange_.lock();
    if (exchange != nullptr && !exchange->IsAnnounced(found->number)) {
      return absl::ResourceExhaustedError(
          "the peer does not know of the object's arena yet, since it reads nothing from the session's socket, which "
          "is full; lend it later");
    }
    found->is_announced = true;
  }
  return found->number;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
