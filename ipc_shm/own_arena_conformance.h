// What arenas that sessions share must do between real processes: one suite, stamped on each kind of shared-memory
// session.
//
//   SLUICE_INSTANTIATE_OWN_ARENA_CONFORMANCE(Classic, session::shm::classic);
//
// Link with //ipc_util/testing:test_main: the peers are processes of their own.

#ifndef SLUICE_IPC_SHM_OWN_ARENA_CONFORMANCE_H_
#define SLUICE_IPC_SHM_OWN_ARENA_CONFORMANCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/internal/own_arena.h"
#include "ipc_shm/internal/standalone_arena.h"
#include "ipc_shm/testing/session_kind.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

struct OwnArenaKind {
  using Accept = std::function<absl::StatusOr<Session>(Deadline deadline)>;
  using Standalone = std::shared_ptr<const ::ipc::internal::StandaloneArena>;

  SessionKindUnderTest sessions;
  // The server of the tests' universe.
  absl::StatusOr<Accept> (*listen)(const ServerOptions& options);
  // Its OwnArena::Create.
  absl::StatusOr<Standalone> (*create)(uint64_t limit_bytes);
  ::ipc::internal::StandaloneArena::Kind (*kind)();
};

template <typename Session, typename Server, typename Kind>
constexpr OwnArenaKind KindOfOwnArena(std::type_identity<::ipc::internal::OwnArena<Kind>>) {
  return {
      .sessions = KindOfSession<Session, Server>(),
      .listen = [](const ServerOptions& options) -> absl::StatusOr<OwnArenaKind::Accept> {
        absl::StatusOr<Server> listening = Server::Listen(kTestServer, options);
        if (!listening.ok()) return listening.status();
        return [server = std::make_shared<Server>(*std::move(listening))](
                   Deadline deadline) -> absl::StatusOr<::ipc::Session> { return server->Accept(deadline); };
      },
      .create = [](uint64_t limit_bytes) -> absl::StatusOr<OwnArenaKind::Standalone> {
        using OwnArena = ::ipc::internal::OwnArena<Kind>;
        absl::StatusOr<OwnArena> created = OwnArena::Create(limit_bytes);
        if (!created.ok()) return created.status();
        const auto arena = std::make_shared<const OwnArena>(*std::move(created));
        return OwnArenaKind::Standalone(arena, &arena->standalone());
      },
      .kind = &Kind::ArenaKind,
  };
}

class OwnArenaConformance : public ::testing::TestWithParam<OwnArenaKind> {};

// Tells the roles of the other processes which kind they are; done by the macro below.
int SetOwnArenaKind(const OwnArenaKind& kind);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// One kind per test program; `kind` is a namespace below ::ipc with its Session, Server and OwnArena.
#define SLUICE_INSTANTIATE_OWN_ARENA_CONFORMANCE(name, kind)                                      \
  static constexpr ::ipc::testing::OwnArenaKind own_arena_kind_##name =                           \
      ::ipc::testing::KindOfOwnArena<::ipc::kind::Session, ::ipc::kind::Server>(                  \
          std::type_identity<::ipc::kind::OwnArena>());                                           \
  static const int set_own_arena_##name = ::ipc::testing::SetOwnArenaKind(own_arena_kind_##name); \
  namespace ipc {                                                                                 \
  inline namespace sluice_0 {                                                                     \
  namespace testing {                                                                             \
  INSTANTIATE_TEST_SUITE_P(name, OwnArenaConformance, ::testing::Values(own_arena_kind_##name));  \
  }                                                                                               \
  }                                                                                               \
  }                                                                                               \
  static_assert(true)

#endif  // SLUICE_IPC_SHM_OWN_ARENA_CONFORMANCE_H_
