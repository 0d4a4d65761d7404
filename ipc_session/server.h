// A server: takes clients in, one session each.

#ifndef SLUICE_IPC_SESSION_SERVER_H_
#define SLUICE_IPC_SESSION_SERVER_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ipc_session/apps.h"
#include "ipc_session/session.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/fork_guard.h"

namespace ipc {
inline namespace sluice_0 {

namespace internal {
class ServerCore;
}  // namespace internal

struct ServerOptions {
  // The definitions of the apps that may connect; each must be named in `ServerApp::allowed_clients`.
  std::vector<App> clients = {};
  // What the server asks of each session; `deadline` is not used.
  SessionOptions session = {};
  // The most that one login may take.
  absl::Duration login_timeout = absl::Seconds(5);
  // The most logins under way at a time, in all and per uid; more wait in the kernel's queue.
  int max_pending_logins = 64;
};

// Move-only. One live server per app on the machine. Destroying it stops listening and removes its socket; sessions
// live on. `Accept` by one thread at a time.
class Server {
 public:
  // INVALID_ARGUMENT: a bad universe or options, naming the field. ALREADY_EXISTS: a live server has the app; it is not
  // disturbed. PERMISSION_DENIED: the run folder belongs to somebody else, or this process is not the uid that the
  // universe names.
  static absl::StatusOr<Server> Listen(const ServerApp& app, const ServerOptions& options);

  Server(Server&&) noexcept;
  Server& operator=(Server&&) noexcept;
  ~Server();

  // Drives all logins under way, and returns the first that is done. Failed ones are logged and told their reason; they
  // do not end the call. DEADLINE_EXCEEDED: none was done until `deadline`; those under way go on in the next call.
  // FAILED_PRECONDITION: this is a forked child's copy; its parent's clients are not for it.
  absl::StatusOr<Session> Accept(Deadline deadline);

 protected:
  static absl::StatusOr<Server> Listen(const ServerApp& app, const ServerOptions& options,
                                       std::shared_ptr<const internal::SessionMemoryFactory> memory);

 private:
  explicit Server(std::unique_ptr<internal::ServerCore> core);

  std::unique_ptr<internal::ServerCore> core_;
  internal::ForkGuard fork_guard_;
};

namespace session::heap {
using Server = ::ipc::Server;
}  // namespace session::heap

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_SERVER_H_
