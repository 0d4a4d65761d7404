// The session and server of a kind of shared memory: those of ipc_session, with that memory in every login.

#ifndef SLUICE_IPC_SHM_INTERNAL_MEMORY_SESSION_H_
#define SLUICE_IPC_SHM_INTERNAL_MEMORY_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_session/apps.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/server_arenas.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

template <typename Kind>
class MemoryServer;

// `Kind::Factory()` is a std::shared_ptr<const SessionMemoryFactory>.
template <typename Kind>
class MemorySession : public Session {
 public:
  // As `ipc::Session::Connect`. Also RESOURCE_EXHAUSTED: the system has no room for SessionOptions::arena_bytes.
  static absl::StatusOr<MemorySession> Connect(const App& client, const ServerApp& server,
                                               const SessionOptions& options = {}) {
    SLUICE_ASSIGN_OR_RETURN(Session session, Session::Connect(client, server, options, *Kind::Factory()));
    return MemorySession(std::move(session));
  }

 private:
  friend class MemoryServer<Kind>;

  explicit MemorySession(Session session) : Session(std::move(session)) {}
};

template <typename Kind>
class MemoryServer : public Server {
 public:
  // As `ipc::Server::Listen`.
  static absl::StatusOr<MemoryServer> Listen(const ServerApp& app, const ServerOptions& options) {
    auto arenas = std::make_shared<ServerArenas>(Kind::ServerArenaKind(), app.app.name);
    SLUICE_ASSIGN_OR_RETURN(Server server, Server::Listen(app, options, Kind::Factory(arenas)));
    return MemoryServer(std::move(server), std::move(arenas));
  }

  // An arena of at most `limit_bytes` that outlives sessions, for all of `client_app`: sessions of it that log in from
  // now on can borrow what lies there, one object many of them at a time. Whoever may borrow one object can read all of
  // the arena. The first call decides on `limit_bytes`. ALREADY_EXISTS: another arena of this user has the addresses
  // that the names lead to; both are named. RESOURCE_EXHAUSTED: this process, or the system, has no room for it.
  absl::StatusOr<std::shared_ptr<shm::Arena>> ArenaFor(absl::string_view client_app,
                                                       uint64_t limit_bytes = uint64_t{4} << 30) {
    SLUICE_ASSIGN_OR_RETURN(const auto arena, arenas_->Make(client_app, limit_bytes, run_folder()));
    return arena->arena;
  }

  // As `ipc::Server::Accept`.
  absl::StatusOr<MemorySession<Kind>> Accept(Deadline deadline) {
    SLUICE_ASSIGN_OR_RETURN(Session session, Server::Accept(deadline));
    return MemorySession<Kind>(std::move(session));
  }

  // As `ipc::Server::TryAccept`.
  absl::StatusOr<std::optional<MemorySession<Kind>>> TryAccept() {
    SLUICE_ASSIGN_OR_RETURN(std::optional<Session> session, Server::TryAccept());
    if (!session.has_value()) return std::nullopt;
    return MemorySession<Kind>(*std::move(session));
  }

 private:
  MemoryServer(Server server, std::shared_ptr<ServerArenas> arenas)
      : Server(std::move(server)), arenas_(std::move(arenas)) {}

  std::shared_ptr<ServerArenas> arenas_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_MEMORY_SESSION_H_
