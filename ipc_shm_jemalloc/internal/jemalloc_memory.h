// The memory of a jemalloc session: a region of each side, which the other maps for reading only.

#ifndef SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_MEMORY_H_
#define SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_MEMORY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/arena_memory.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/server_arenas.h"
#include "ipc_shm/internal/standalone_arena.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Each side makes a region of its own. The client proposes places for both; the server says which it took, and the
// client moves its own there.
class JemallocMemory final : public ArenaMemory {
 public:
  static constexpr MemoryKind kKind = MemoryKind::kJemalloc;

  // `server_arena`, of a server, may be null.
  explicit JemallocMemory(const MemoryRequest& request, std::shared_ptr<const ServerArena> server_arena = nullptr);

  // Of a region with an arena of `arena_bytes`.
  static constexpr uint64_t RegionBytesFor(uint64_t arena_bytes) {
    return ArenaRegistry::kHeaderBytes + WindowBytesFor(arena_bytes);
  }

  absl::StatusOr<MemoryOffer> Offer() override;
  absl::Status Adopt(ReceivedMemory received) override;

 private:
  // Makes the own region, at one of `places` if that can be; its arena is to come.
  absl::Status MakeRegion(absl::Span<const uint64_t> places);
  // Has the own region at `address`, where the server mapped it, if it has room there.
  absl::Status MoveTo(uint64_t address);
  absl::Status MakeArena();

  std::vector<Reservation> places_;  // A client's, for both regions, until the server has chosen.
  std::shared_ptr<const Region> own_;
  std::shared_ptr<const Region> peers_;
  Fd for_peer_;  // Of the own region, for reading.
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
