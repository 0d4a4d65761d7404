// One side's half of a login, which is the same for client and server: what it offers, and what it takes in.

#ifndef SLUICE_IPC_SESSION_INTERNAL_LOGIN_HALF_H_
#define SLUICE_IPC_SESSION_INTERNAL_LOGIN_HALF_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_session/internal/frames.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/session_terms.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The kind of memory that `factory` makes; null makes none.
MemoryKind KindOf(const SessionMemoryFactory* factory);

// `Offer` once, `Adopt` once, in the order of the side; then `Open`.
class LoginHalf {
 public:
  // RESOURCE_EXHAUSTED: no memory or descriptors for its outbox or arena. `factory` null: a session on the heap.
  static absl::StatusOr<LoginHalf> Create(Side side, absl::string_view client_app, const SessionOptions& options,
                                          const SessionMemoryFactory* factory);

  // What goes to the peer. The descriptors are open as long as this half is.
  struct Outgoing {
    SideTerms terms;
    std::vector<FdView> descriptors;
  };
  absl::StatusOr<Outgoing> Offer(const SessionOptions& options);

  // Takes in what came from the peer: `terms` were decoded; kinds are equal. DATA_LOSS: not what they say.
  absl::Status Adopt(SideTerms terms, std::vector<Fd> descriptors);

  // Both halves are there. Initialises the lanes of this side. FAILED_PRECONDITION (kWrongLimits): one side has no room
  // for so many channels, or will not bear the other's silences; both sides' values are in the text, which is fit for
  // the client.
  absl::Status AgreeOn(uint32_t channels);

  absl::StatusOr<std::shared_ptr<SessionCore>> Open(Fd socket, PidFd process, SessionPeer peer) &&;

 private:
  // What each side tells of itself, besides the outbox.
  struct Own {
    Side side;
    MemoryKind kind;
    uint32_t max_channels;
    absl::Duration keep_alive_period;
    absl::Duration idle_timeout;
  };

  LoginHalf(const Own& own, OwnOutbox outbox, Fd outbox_for_peer, std::shared_ptr<SessionMemory> memory);
  absl::Status AgreeOnKeepAlive() const;

  Own this_side_;
  OwnOutbox own_;
  Fd own_for_peer_;
  std::shared_ptr<SessionMemory> memory_;
  uint32_t channels_ = 0;
  std::optional<PeerOutbox> peer_;
  std::string peer_metadata_;
  absl::Duration peer_keep_alive_period_;
  absl::Duration peer_idle_timeout_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_LOGIN_HALF_H_
