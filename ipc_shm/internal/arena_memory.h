// What the memories of all kinds of shared-memory session have in common.

#ifndef SLUICE_IPC_SHM_INTERNAL_ARENA_MEMORY_H_
#define SLUICE_IPC_SHM_INTERNAL_ARENA_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/arena_pages.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/segment_store.h"
#include "ipc_shm/internal/server_arenas.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// An arena of this side, whose blocks are lent to the peer, and what the peer lends. Kinds say where these lie.
class ArenaMemory : public SessionMemory {
 public:
  std::shared_ptr<MessageStore> Open(ReleaseCounters counters, std::weak_ptr<RegionExchange> exchange) final;
  absl::Status AdoptLater(absl::StatusOr<ReceivedRegion> region, uint64_t address) final;
  std::optional<MemoryUsage> Usage() const final;

 protected:
  // Peers have `access` to each other's regions. `server_arena`, of a server, may be null.
  ArenaMemory(const MemoryRequest& request, Access access, std::shared_ptr<const ServerArena> server_arena);

  bool is_client() const { return request_.side == Side::kClient; }
  uint64_t arena_bytes() const { return request_.arena_bytes; }
  // What this side's regions are made of, and what it allows of the peer's.
  Pages pages() const;
  bool is_committed() const { return request_.arena_pages != ArenaPages::kOnTouch; }

  // A server adds its arena for the client, if it has one, behind all else; the client maps it: see MapServerArena.
  void OfferServers(MemoryOffer& offer) const;
  absl::Status MapServers(ReceivedMemory& received, size_t places);

  // From now on this side allocates by `arena` in `own`, and the peer lends what lies in `peer`.
  void Use(std::unique_ptr<PagedArena> arena, RegionWindow own, RegionWindow peer);

 private:
  const MemoryRequest request_;
  const Access access_;
  const std::shared_ptr<const ServerArena> server_arena_;
  RegionWindow own_;
  RegionWindow peer_;
  RegionWindow server_window_;         // Of a client: the server's arena.
  std::unique_ptr<shm::Arena> arena_;  // Until it is open.
  std::weak_ptr<SegmentStore> store_;  // From then on.
};

// Of memories of the class `Memory`. `arenas`, of a server, may be null.
template <typename Memory>
class ArenaMemoryFactory final : public SessionMemoryFactory {
 public:
  explicit ArenaMemoryFactory(std::shared_ptr<ServerArenas> arenas) : arenas_(std::move(arenas)) {}

  MemoryKind kind() const override { return Memory::kKind; }
  absl::StatusOr<std::shared_ptr<SessionMemory>> Create(const MemoryRequest& request) const override {
    return std::make_shared<Memory>(request, arenas_ != nullptr ? arenas_->Find(request.client_app) : nullptr);
  }

 private:
  const std::shared_ptr<ServerArenas> arenas_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_ARENA_MEMORY_H_
