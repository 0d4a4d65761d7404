// Arenas that belong to no session, and that any number of sessions lend from.

#ifndef SLUICE_IPC_SHM_INTERNAL_STANDALONE_ARENA_H_
#define SLUICE_IPC_SHM_INTERNAL_STANDALONE_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_shm/arena_options.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/address_space.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One of them, as its owner has it.
struct StandaloneArena {
  // What a kind of memory decides.
  struct Kind {
    absl::StatusOr<std::unique_ptr<PagedArena>> (*create)(RegionWindow window, size_t limit_bytes, ArenaPlace place);
    bool peers_write = false;
  };

  // Of the region of an arena of `limit_bytes`.
  static constexpr uint64_t RegionBytesFor(uint64_t limit_bytes) {
    return ArenaRegistry::kHeaderBytes + WindowBytesFor(limit_bytes);
  }

  // One of `limit_bytes` at `place`, which is as large as its region; `name` is the region's. RESOURCE_EXHAUSTED: the
  // system has no such region, or the process too many arenas. FAILED_PRECONDITION: /proc is not mounted, where peers
  // only read.
  static absl::StatusOr<StandaloneArena> Create(const Kind& kind, absl::string_view name, uint64_t limit_bytes,
                                                const shm::ArenaOptions& options, Reservation place);

  Fd for_peers;  // Of the region, with the access that peers have.
  std::shared_ptr<LendingArena> lending;
};

// One at addresses that are free here, chosen at random so that they are likely to be free in peers too.
// INVALID_ARGUMENT: `limit_bytes` is 0 or above kMaxArenaBytes, or one of `options` is none. Else as
// `StandaloneArena::Create`.
absl::StatusOr<std::shared_ptr<const StandaloneArena>> MakeOwnArena(const StandaloneArena::Kind& kind,
                                                                    uint64_t limit_bytes,
                                                                    const shm::ArenaOptions& options);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_STANDALONE_ARENA_H_
