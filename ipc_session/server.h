// A server: takes clients in, one session each.

#ifndef SLUICE_IPC_SESSION_SERVER_H_
#define SLUICE_IPC_SESSION_SERVER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ipc_session/apps.h"
#include "ipc_session/session.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

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
  // The most logins under way at a time, in all and of one uid, counted from when the server takes a client in. Who
  // comes beyond waits, and those behind with him. Where that brings nobody forward, clients that have not said a word
  // lose their places, and where there are none of these, later clients are sent away; both try again until their
  // deadlines. So 200 ms is what one uid's rush can cost others.
  int max_pending_logins = 64;
  int max_pending_logins_per_uid = 32;
  // The most sessions of this server that live at a time, in all and of one uid; a client beyond is refused
  // (RESOURCE_EXHAUSTED, kLimit), and the log has the numbers. A session counts until either side has ended it.
  int max_sessions = 1024;
  int max_sessions_per_uid = 512;
};

// Move-only. One live server per app on the machine. Destroying it stops listening and removes its socket; sessions
// live on. One thread at a time. In a forked child its calls answer FAILED_PRECONDITION, and it may be destroyed.
//
// In an event loop, with the loop's other descriptors:
//
//   poll_fd.fd = server->wait_fd()->get();
//   ...
//   absl::StatusOr<std::optional<Session>> session = server->TryAccept();  // When it is readable.
//   if (session.ok() && session->has_value()) Serve(**std::move(session));
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

  // As `Accept`, and never waits; nullopt: no login is done. Logins go on in these calls only.
  absl::StatusOr<std::optional<Session>> TryAccept();

  // Readable when `TryAccept` is worth another call: a client came or said something, or a login's time is over. That
  // need not bring a session. It stays the same, and belongs to the server.
  absl::StatusOr<FdView> wait_fd() const;

  // Where its socket lies.
  const std::string& run_folder() const;

 protected:
  static absl::StatusOr<Server> Listen(const ServerApp& app, const ServerOptions& options,
                                       std::shared_ptr<const internal::SessionMemoryFactory> memory);

 private:
  explicit Server(std::unique_ptr<internal::ServerCore> core);

  std::unique_ptr<internal::ServerCore> core_;
};

namespace session::heap {
using Server = ::ipc::Server;
}  // namespace session::heap

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_SERVER_H_
