// The session and server of a kind of shared memory: those of ipc_session, with that memory in every login.

#ifndef SLUICE_IPC_SHM_INTERNAL_MEMORY_SESSION_H_
#define SLUICE_IPC_SHM_INTERNAL_MEMORY_SESSION_H_

#include <cstddef>
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
#include "ipc_shm/internal/mutable_borrow.h"
#include "ipc_shm/internal/object_arena.h"
#include "ipc_shm/internal/own_arena.h"
#include "ipc_shm/internal/server_arenas.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

template <typename Kind>
class MemoryServer;

// A session whose memory is shared. `Kind` is that of the alias: `Kind::Factory()` is a
// std::shared_ptr<const SessionMemoryFactory>.
//
//   absl::StatusOr<std::shared_ptr<Index>> index = session.arena().Construct<Index>();
//   absl::StatusOr<shm::Loan> loan = session.Lend(*index);
//   absl::Status sent = shm::SendLoan(channel, *std::move(loan));
//
//   absl::StatusOr<shm::LoanRef> ref = shm::ReceiveLoan(channel);                         // The peer.
//   absl::StatusOr<std::shared_ptr<const Index>> theirs = session.Borrow<Index>(*ref);
//
// Objects that many sessions are to borrow lie in an OwnArena, which each of them shares. What was constructed or
// borrowed may outlive the session. A loan ends when the peer lets go of what it borrowed, when its process ends, when
// it let go of the channel before it received the loan, or, at the latest, when it has let go of its session and of all
// that it borrowed in it: so end those that were received and never borrowed.
template <typename Kind>
class MemorySession : public Session {
 public:
  // As `ipc::Session::Connect`. Also RESOURCE_EXHAUSTED: the system has no room for SessionOptions::arena_bytes.
  static absl::StatusOr<MemorySession> Connect(const App& client, const ServerApp& server,
                                               const SessionOptions& options = {}) {
    SLUICE_ASSIGN_OR_RETURN(Session session, Session::Connect(client, server, options, *Kind::Factory()));
    return MemorySession(std::move(session));
  }

  // This side's arena. Valid as long as this handle.
  SessionArena& arena() { return arena_; }

  // As SessionArena.
  absl::Status Share(const OwnArena<Kind>& arena) { return arena_.Share(arena.standalone()); }
  template <typename T>
  absl::StatusOr<shm::Loan> Lend(const std::shared_ptr<T>& object) {
    return arena_.Lend(object);
  }
  template <typename T>
  absl::StatusOr<std::shared_ptr<const T>> Borrow(const shm::LoanRef& ref) {
    return arena_.template Borrow<T>(ref);
  }
  template <typename T>
  absl::StatusOr<std::shared_ptr<T>> BorrowMutable(const shm::LoanRef& ref) {
    static_assert(CheckMayBorrowMutable<Kind>());
    return arena_.template BorrowMutable<T>(ref);
  }
  size_t Reclaim(size_t max) {
    status().IgnoreError();  // Takes in what the peer said of channels that it let go of.
    return arena_.Reclaim(max);
  }
  shm::LoanStats loan_stats() const { return arena_.loan_stats(); }

 private:
  friend class MemoryServer<Kind>;

  explicit MemorySession(Session session) : Session(std::move(session)), arena_(ArenaOf(*this)) {}

  SessionArena arena_;
};

// The server of such sessions.
template <typename Kind>
class MemoryServer : public Server {
 public:
  // As `ipc::Server::Listen`.
  static absl::StatusOr<MemoryServer> Listen(const ServerApp& app, const ServerOptions& options) {
    auto arenas = std::make_shared<ServerArenas>(
        Kind::ArenaKind(), app.app.name,
        shm::ArenaOptions{.pages = options.session.arena_pages, .decay = options.session.arena_decay});
    SLUICE_ASSIGN_OR_RETURN(Server server, Server::Listen(app, options, Kind::Factory(arenas)));
    return MemoryServer(std::move(server), std::move(arenas));
  }

  // An arena of at most `limit_bytes` that outlives sessions, for all of `client_app`: sessions of it that log in from
  // now on can borrow what lies there, one object many of them at a time. Whoever may borrow one object can read all of
  // the arena. The first call decides on `limit_bytes`. ALREADY_EXISTS: another arena of this user has the addresses
  // that the names lead to; both are named. RESOURCE_EXHAUSTED: this process, or the system, has no room for it.
  absl::StatusOr<ObjectArena> ArenaFor(absl::string_view client_app, uint64_t limit_bytes = uint64_t{4} << 30) {
    SLUICE_ASSIGN_OR_RETURN(const auto arena, arenas_->Make(client_app, limit_bytes, run_folder()));
    return ObjectArena(arena->arena.lending);
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
