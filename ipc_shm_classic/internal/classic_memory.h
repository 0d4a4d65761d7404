// The memory of a classic session: one region that both sides map for writing, a half for each.

#ifndef SLUICE_IPC_SHM_CLASSIC_INTERNAL_CLASSIC_MEMORY_H_
#define SLUICE_IPC_SHM_CLASSIC_INTERNAL_CLASSIC_MEMORY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ipc_session/arena_pages.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/segment_store.h"
#include "ipc_shm/internal/server_arenas.h"
#include "ipc_shm/internal/standalone_arena.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The server makes the region, by its own `arena_bytes`, at a place that the client proposed; of a client's
// `arena_bytes`, what its half allows counts.
class ClassicMemory final : public SessionMemory {
 public:
  // `server_arena`, of a server, may be null.
  static std::shared_ptr<SessionMemory> Create(const MemoryRequest& request,
                                               std::shared_ptr<const ServerArena> server_arena = nullptr);

  // Of a region with two arenas of `arena_bytes`.
  static constexpr uint64_t RegionBytesFor(uint64_t arena_bytes) {
    return ArenaRegistry::kHeaderBytes + 2 * WindowBytesFor(arena_bytes);
  }

  absl::StatusOr<MemoryOffer> Offer() override;
  absl::Status Adopt(ReceivedMemory received) override;
  std::shared_ptr<MessageStore> Open(ReleaseCounters counters, std::weak_ptr<RegionExchange> exchange) override;
  absl::Status AdoptLater(absl::StatusOr<ReceivedRegion> region, uint64_t address) override;
  std::optional<MemoryUsage> Usage() const override;

 private:
  ClassicMemory(const MemoryRequest& request, std::shared_ptr<const ServerArena> server_arena)
      : side_(request.side),
        arena_bytes_(request.arena_bytes),
        arena_pages_(request.arena_pages),
        arena_decay_(request.arena_decay),
        server_arena_(std::move(server_arena)) {}

  absl::Status MapRegion(ReceivedMemory received);
  // Takes this side's half of `region`, and makes the arena in it.
  absl::Status Use(std::shared_ptr<const Region> region);

  const Side side_;
  const uint64_t arena_bytes_;
  const ArenaPages arena_pages_;
  const absl::Duration arena_decay_;
  const std::shared_ptr<const ServerArena> server_arena_;
  std::vector<Reservation> places_;  // A client's, for the server's region, until it comes.
  RegionWindow own_;
  RegionWindow peer_;
  RegionWindow server_window_;         // Of a client: the server's arena.
  std::unique_ptr<shm::Arena> arena_;  // Until it is open.
  std::weak_ptr<SegmentStore> store_;  // From then on.
};

// `Factory()` for MemorySession.
struct ClassicKind {
  // `arenas`, of a server, may be null.
  static std::shared_ptr<const SessionMemoryFactory> Factory(std::shared_ptr<ServerArenas> arenas = nullptr);
  static StandaloneArena::Kind ArenaKind();
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_CLASSIC_INTERNAL_CLASSIC_MEMORY_H_
