// A live server: its lock, its socket, and the logins under way.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SERVER_CORE_H_
#define SLUICE_IPC_SESSION_INTERNAL_SERVER_CORE_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_session/internal/listening_socket.h"
#include "ipc_session/internal/login_places.h"
#include "ipc_session/internal/server_lock.h"
#include "ipc_session/internal/server_login.h"
#include "ipc_session/internal/session_census.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_transport/internal/event_set.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/fork_guard.h"
#include "ipc_util/permissions.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

struct ServerSettings {
  uid_t uid = 0;  // Of the server's app; already compared with this process's.
  Permissions permissions = Permissions::kUser;
  absl::Duration login_timeout;
  int max_pending_logins = 0;
  int max_pending_logins_per_uid = 0;
  SessionCensus::Limits sessions = {};
  ServerTerms terms;  // Its census is the core's own.
};

// One thread at a time.
class ServerCore {
 public:
  // `settings` are valid. Errors as of `Server::Listen`.
  static absl::StatusOr<std::unique_ptr<ServerCore>> Listen(ServerSettings settings);

  // As of `Server`; null: nobody is done.
  absl::StatusOr<std::shared_ptr<SessionCore>> Accept(Deadline deadline);
  absl::StatusOr<std::shared_ptr<SessionCore>> TryAccept();
  absl::StatusOr<FdView> wait_fd() const;
  const std::string& run_folder() const { return settings_.terms.session.run_folder; }

 private:
  ServerCore(ServerSettings settings, ServerLock lock, std::unique_ptr<ListeningSocket> socket, EventSet events);

  // The logins under way by their keys, which are those of `events_`: the oldest first.
  using Logins = std::map<uint64_t, std::unique_ptr<ServerLogin>>;

  // The next session that is open, or null. Never waits.
  std::shared_ptr<SessionCore> TryTake();
  // Each goes on with logins until a session is open: those whose clients said something, those whose time has come,
  // new ones.
  std::shared_ptr<SessionCore> StepReady();
  std::shared_ptr<SessionCore> StepDue();
  std::shared_ptr<SessionCore> StepNew();
  // One step of a login; when it has ended, it is removed, with a refusal where there is no session.
  std::shared_ptr<SessionCore> Step(Logins::iterator login);

  // Has a client at the door; false: nobody is there, or it cannot be taken in.
  bool MeetNext();
  // Takes nobody in for a while.
  void Pause(const absl::Status& why);
  // Moves whom the door has to the logins, if there is a place.
  std::optional<Logins::iterator> LetIn();
  // Out of patience: the place of a silent login, or none but an end to the waiting.
  void EndWaiting();
  void Refuse(const ServerLogin& login, const absl::Status& why) const;
  void LogWarning(absl::string_view what) const;
  // Says for what `events_` waits.
  void Rearm(bool found_nothing);

  const ForkGuard fork_guard_;  // A forked child shares the queue of clients and `events_`, and must leave them alone.
  ServerSettings settings_;
  // Before the socket, so that its name is gone when the next server gets the lock.
  const ServerLock lock_;
  const std::unique_ptr<ListeningSocket> socket_;
  EventSet events_;
  SessionCensus census_;
  LoginPlaces places_;
  Logins logins_;
  uint64_t next_key_;
  Fd accepted_;  // A client for whose process there was no descriptor.
  // A client that was taken in and finds no place yet. Nobody is behind it but in the kernel's queue.
  std::unique_ptr<ServerLogin> door_;
  std::optional<int64_t> door_waits_since_;  // Nanoseconds; while nothing goes on.
  // Out of descriptors, the listening socket would stay readable and be of no use until then.
  Deadline listen_again_ = Deadline::Passed();
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SERVER_CORE_H_
