// A client that outlives its servers: one session after the other.

#ifndef SLUICE_IPC_SESSION_RECONNECT_H_
#define SLUICE_IPC_SESSION_RECONNECT_H_

#include <utility>

#include "absl/status/statusor.h"
#include "ipc_session/apps.h"
#include "ipc_session/internal/reconnect_core.h"
#include "ipc_session/reconnect_options.h"
#include "ipc_session/session_terms.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {

// Connects whenever it is asked for a session. `Session` is any alias of a session, on the heap or in shared memory. It
// keeps nothing of the sessions that it gave out, and starts no thread. One thread at a time.
//
//   Reconnector<Session> sessions(kCacheClient, kCacheServer);
//   while (true) {
//     absl::StatusOr<Session> session = sessions.Next(absl::Seconds(30));
//     if (!session.ok()) return session.status();
//     Work(*session);  // Until it ends.
//   }
template <typename Session>
class Reconnector {
 public:
  // The texts of `client` and `server` outlive it, as those of constants do. `deadline` and `wait_for_server` of
  // `options` are not used.
  Reconnector(const App& client, const ServerApp& server, SessionOptions options = {},
              const ReconnectOptions& reconnect = {})
      : client_(client), server_(server), core_(std::move(options), reconnect) {}

  // The next session; the caller has let go of the last, as the server may count both. Waits for a server that does not
  // listen yet, that dies in the login, or that is at a limit, and tries again as `ReconnectOptions` say; after the
  // first call it waits before it tries, so that clients of a server that was restarted do not all come at once.
  // DEADLINE_EXCEEDED: there was none until `deadline`; the text and the Reason are those of the last attempt. Other
  // errors are those of `Session::Connect` that waiting does not mend: PERMISSION_DENIED, FAILED_PRECONDITION, ...
  // INVALID_ARGUMENT: bad options. It may be called again after each of them.
  absl::StatusOr<Session> Next(Deadline deadline = Deadline::Default()) {
    absl::StatusOr<Session> session;
    SLUICE_RETURN_IF_ERROR(core_.Next(deadline, [&](const SessionOptions& options) {
      session = Session::Connect(client_, server_, options);
      return session.status();
    }));
    return session;
  }

 private:
  const App client_;
  const ServerApp server_;
  internal::ReconnectCore core_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_RECONNECT_H_
