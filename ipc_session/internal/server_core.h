// A live server: its lock, its socket, and the logins under way.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SERVER_CORE_H_
#define SLUICE_IPC_SESSION_INTERNAL_SERVER_CORE_H_

#include <poll.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ipc_session/internal/listening_socket.h"
#include "ipc_session/internal/server_lock.h"
#include "ipc_session/internal/server_login.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_util/deadline.h"
#include "ipc_util/permissions.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

struct ServerSettings {
  uid_t uid = 0;  // Of the server's app; already compared with this process's.
  Permissions permissions = Permissions::kUser;
  absl::Duration login_timeout;
  int max_pending_logins = 0;
  ServerTerms terms;
};

// One thread at a time.
class ServerCore {
 public:
  // `settings` are valid. Errors as of `Server::Listen`.
  static absl::StatusOr<std::unique_ptr<ServerCore>> Listen(ServerSettings settings);

  absl::StatusOr<std::shared_ptr<SessionCore>> Accept(Deadline deadline);

 private:
  ServerCore(ServerSettings settings, ServerLock lock, std::unique_ptr<ListeningSocket> socket);

  // Whether a new client may be let in now.
  bool IsListening() const;
  // Waits until there is something to do, or a limit of a login or `deadline` has come.
  absl::Status WaitForWork(Deadline deadline) const;
  void AcceptClients();
  // Goes on with every login; the first that is done, or null.
  std::shared_ptr<SessionCore> StepLogins();

  const ServerSettings settings_;
  // Before the socket, so that its name is gone when the next server gets the lock.
  const ServerLock lock_;
  const std::unique_ptr<ListeningSocket> socket_;
  std::vector<std::unique_ptr<ServerLogin>> logins_;
  // Out of descriptors, the listening socket would stay readable and be of no use until then.
  Deadline listen_again_ = Deadline::Passed();
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SERVER_CORE_H_
