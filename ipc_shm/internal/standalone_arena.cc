#include "ipc_shm/internal/standalone_arena.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_session/arena_pages.h"
#include "ipc_session/internal/limits.h"
#include "ipc_shm/internal/mapped_regions.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<StandaloneArena> StandaloneArena::Create(const Kind& kind, absl::string_view name, uint64_t limit_bytes,
                                                        const shm::ArenaOptions& options, Reservation place) {
  SLUICE_ASSIGN_OR_RETURN(auto region, MakeRegionAt(name, std::move(place), PagesOf(options.pages)));
  absl::StatusOr<Fd> for_peers = kind.peers_write ? Duplicate(region->fd()) : region->OpenReadOnly();
  if (!for_peers.ok()) return for_peers.status();
  RegionWindow window = WindowBehindHeaders(region, options.pages != ArenaPages::kOnTouch);
  SLUICE_ASSIGN_OR_RETURN(auto arena,
                          kind.create(window, limit_bytes, {.header = ArenaRegistry::HeaderIn(region->data(), 0)}));
  arena->SetDecay(options.decay);
  return StandaloneArena{
      .for_peers = *std::move(for_peers),
      .lending = LendingArena::Create(std::move(arena), std::move(window), /*peer=*/{}, /*counters=*/{})};
}

absl::StatusOr<std::shared_ptr<const StandaloneArena>> MakeOwnArena(const StandaloneArena::Kind& kind,
                                                                    uint64_t limit_bytes,
                                                                    const shm::ArenaOptions& options) {
  if (limit_bytes == 0 || limit_bytes > kMaxArenaBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("an arena of ", limit_bytes, " bytes cannot be; give it 1 to ", kMaxArenaBytes));
  }
  if (options.pages > ArenaPages::kHuge || options.decay < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("ArenaOptions.pages is ", static_cast<int>(options.pages),
                                                   " and .decay ", absl::FormatDuration(options.decay),
                                                   "; give one of ArenaPages, and zero or more"));
  }
  LendingArena::SweepEnded();  // Addresses may be free again.
  SLUICE_ASSIGN_OR_RETURN(Reservation place, Reservation::Anywhere(StandaloneArena::RegionBytesFor(limit_bytes)));
  SLUICE_ASSIGN_OR_RETURN(StandaloneArena arena,
                          StandaloneArena::Create(kind, "sluice-own-arena", limit_bytes, options, std::move(place)));
  return std::make_shared<const StandaloneArena>(std::move(arena));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
