// Arenas of server scope: they outlive sessions, and all sessions of one client app read them.

#ifndef SLUICE_IPC_SHM_INTERNAL_SERVER_ARENAS_H_
#define SLUICE_IPC_SHM_INTERNAL_SERVER_ARENAS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena_options.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/slot_file.h"
#include "ipc_shm/internal/standalone_arena.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One of them, as its owner has it.
struct ServerArena {
  SlotLock slots;
  StandaloneArena arena;
};

// A session's part in one: the server adds it to its offer, behind its own region; the client takes it from there.
void OfferServerArena(const ServerArena& arena, MemoryOffer& offer);
// Its region and place come behind the session's own, which has `places` of them. Empty: the server offers none. Errors
// as of MapReceived.
absl::StatusOr<RegionWindow> MapServerArena(ReceivedMemory& received, size_t places, Access access,
                                            Pages pages = Pages::kOrdinary);

// Those of a server: one for each client app that asked for one, its audience. Any thread.
class ServerArenas {
 public:
  // Of this process's user.
  ServerArenas(const StandaloneArena::Kind& kind, absl::string_view app, const shm::ArenaOptions& options = {})
      : kind_(kind), app_(app), options_(options) {}

  // The arena for clients of `client_app`, of `limit_bytes`, made now; or the one that there is, whatever its limit. It
  // lies where its names say, by the slot file in `run_folder`. ALREADY_EXISTS: another arena of this user has these
  // addresses; both names are in the text. RESOURCE_EXHAUSTED: they are not free in this process, or the system has no
  // such region.
  absl::StatusOr<std::shared_ptr<const ServerArena>> Make(absl::string_view client_app, uint64_t limit_bytes,
                                                          const std::string& run_folder);

  // Null: there is none.
  std::shared_ptr<const ServerArena> Find(absl::string_view client_app) const;

 private:
  absl::StatusOr<std::shared_ptr<const ServerArena>> Create(absl::string_view client_app, uint64_t limit_bytes,
                                                            const std::string& run_folder) const;

  const StandaloneArena::Kind kind_;
  const std::string app_;
  const shm::ArenaOptions options_;

  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<const ServerArena>, std::less<>> arenas_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_SERVER_ARENAS_H_
