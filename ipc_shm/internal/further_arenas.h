// The arenas beside its own that a side of a session lends from.

#ifndef SLUICE_IPC_SHM_INTERNAL_FURTHER_ARENAS_H_
#define SLUICE_IPC_SHM_INTERNAL_FURTHER_ARENAS_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

class LendingArena;

// A server's for the client, which the login announced, and those that were shared since; by the numbers that their
// regions have in the session. Keeps them alive. Any thread; nothing waits.
class FurtherArenas {
 public:
  explicit FurtherArenas(std::weak_ptr<RegionExchange> exchange) : exchange_(std::move(exchange)) {}

  // That of the server, in `window`; before anything else.
  void AddServers(std::shared_ptr<const LendingArena> arena, RegionWindow window);

  // Tells the peer of `arena` in `window`, whose region it gets as `for_peer`; without effect if it has it.
  // RESOURCE_EXHAUSTED: the peer has as many as it may, or no descriptor is to be had. Other errors: the session has
  // ended, and why.
  absl::Status Share(std::shared_ptr<const LendingArena> arena, RegionWindow window, FdView for_peer);

  // Of its region. INVALID_ARGUMENT: the peer does not have it. RESOURCE_EXHAUSTED: it was not told yet, because it
  // does not read what it is told.
  absl::StatusOr<uint32_t> NumberOf(const LendingArena& arena);

  // What takes in what the peer announced; null: the session has ended.
  std::shared_ptr<RegionExchange> exchange() const { return exchange_.lock(); }

  // Calls `visit` with the window of each.
  template <typename Visit>
  void ForEach(Visit visit) const {
    const MutexLock lock(mutex_);
    for (const Further& further : arenas_) visit(further.window);
  }

 private:
  struct Further {
    std::shared_ptr<const LendingArena> arena;
    RegionWindow window;
    uint32_t number = 0;
    bool is_announced = false;  // Seen to be.
  };

  const std::weak_ptr<RegionExchange> exchange_;
  mutable Mutex mutex_;
  std::vector<Further> arenas_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_FURTHER_ARENAS_H_
