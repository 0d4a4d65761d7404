// The memory of a jemalloc session: a region of each side, which the other maps for reading only.

#ifndef SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_MEMORY_H_
#define SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_MEMORY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_session/arena_pages.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/segment_store.h"
#include "ipc_shm/internal/server_arenas.h"
#include "ipc_shm/internal/standalone_arena.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/address_space.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Each side makes a region of its own. The client proposes places for both; the server says which it took, and the
// client moves its own there.
class JemallocMemory final : public SessionMemory {
 public:
  // `server_arena`, of a server, may be null.
  static std::shared_ptr<SessionMemory> Create(const MemoryRequest& request,
                                               std::shared_ptr<const ServerArena> server_arena = nullptr);

  // Of a region with an arena of `arena_bytes`.
  static constexpr uint64_t RegionBytesFor(uint64_t arena_bytes) {
    return ArenaRegistry::kHeaderBytes + WindowBytesFor(arena_bytes);
  }

  absl::StatusOr<MemoryOffer> Offer() override;
  absl::Status Adopt(ReceivedMemory received) override;
  std::shared_ptr<MessageStore> Open(ReleaseCounters counters, std::weak_ptr<RegionExchange> exchange) override;
  absl::Status AdoptLater(absl::StatusOr<ReceivedRegion> region, uint64_t address) override;
  std::optional<MemoryUsage> Usage() const override;

 private:
  JemallocMemory(const MemoryRequest& request, std::shared_ptr<const ServerArena> server_arena)
      : side_(request.side),
        arena_bytes_(request.arena_bytes),
        arena_pages_(request.arena_pages),
        arena_decay_(request.arena_decay),
        server_arena_(std::move(server_arena)) {}

  // Makes the own region, at one of `places` if that can be; its arena is to come.
  absl::Status MakeRegion(absl::Span<const uint64_t> places);
  // Has the own region at `address`, where the server mapped it, if it has room there.
  absl::Status MoveTo(uint64_t address);
  absl::Status MakeArena();

  const Side side_;
  const uint64_t arena_bytes_;
  const ArenaPages arena_pages_;
  const absl::Duration arena_decay_;
  const std::shared_ptr<const ServerArena> server_arena_;
  std::vector<Reservation> places_;  // A client's, for both regions, until the server has chosen.
  RegionWindow own_;
  Fd for_peer_;  // Of the own region, for reading.
  RegionWindow peer_;
  RegionWindow server_window_;         // Of a client: the server's arena.
  std::unique_ptr<shm::Arena> arena_;  // Until it is open.
  std::weak_ptr<SegmentStore> store_;  // From then on.
};

// `Factory()` for MemorySession.
struct JemallocKind {
  // `arenas`, of a server, may be null.
  static std::shared_ptr<const SessionMemoryFactory> Factory(std::shared_ptr<ServerArenas> arenas = nullptr);
  static StandaloneArena::Kind ArenaKind();
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_MEMORY_H_
