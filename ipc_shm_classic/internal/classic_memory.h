// The memory of a classic session: one region that both sides map for writing, a half for each.

#ifndef SLUICE_IPC_SHM_CLASSIC_INTERNAL_CLASSIC_MEMORY_H_
#define SLUICE_IPC_SHM_CLASSIC_INTERNAL_CLASSIC_MEMORY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/arena_memory.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/server_arenas.h"
#include "ipc_shm/internal/standalone_arena.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The server makes the region, by its own `arena_bytes`, at a place that the client proposed; of a client's
// `arena_bytes`, what its half allows counts.
class ClassicMemory final : public ArenaMemory {
 public:
  static constexpr MemoryKind kKind = MemoryKind::kClassic;

  // `server_arena`, of a server, may be null.
  explicit ClassicMemory(const MemoryRequest& request, std::shared_ptr<const ServerArena> server_arena = nullptr);

  // Of a region with two arenas of `arena_bytes`.
  static constexpr uint64_t RegionBytesFor(uint64_t arena_bytes) {
    return ArenaRegistry::kHeaderBytes + 2 * WindowBytesFor(arena_bytes);
  }

  absl::StatusOr<MemoryOffer> Offer() override;
  absl::Status Adopt(ReceivedMemory received) override;

 private:
  absl::Status MapRegion(ReceivedMemory received);
  // Takes this side's half of `region`, and makes the arena in it.
  absl::Status TakeHalf(std::shared_ptr<const Region> region);

  std::vector<Reservation> places_;  // A client's, for the server's region, until it comes.
  std::shared_ptr<const Region> region_;
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
