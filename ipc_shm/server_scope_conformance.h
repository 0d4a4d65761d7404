// What arenas that outlive sessions must do between a server and several client processes: one suite, stamped on each
// kind of shared-memory session.
//
//   SLUICE_INSTANTIATE_SERVER_SCOPE_CONFORMANCE(Classic, session::shm::classic, /*peers_write=*/true);
//
// Link with //ipc_util/testing:test_main: the clients are processes of their own.

#ifndef SLUICE_IPC_SHM_SERVER_SCOPE_CONFORMANCE_H_
#define SLUICE_IPC_SHM_SERVER_SCOPE_CONFORMANCE_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "ipc_session/apps.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_shm/internal/object_arena.h"
#include "ipc_shm/testing/session_kind.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// A server of some kind of shared memory.
class MemoryServerUnderTest {
 public:
  virtual ~MemoryServerUnderTest() = default;
  virtual absl::StatusOr<::ipc::internal::ObjectArena> ArenaFor(absl::string_view client_app, uint64_t limit_bytes) = 0;
  virtual absl::StatusOr<Session> Accept(Deadline deadline) = 0;
};

template <typename Kind>
class MemoryServerOf final : public MemoryServerUnderTest {
 public:
  static absl::StatusOr<std::unique_ptr<MemoryServerUnderTest>> Listen(const ServerApp& app,
                                                                       const ServerOptions& options) {
    SLUICE_ASSIGN_OR_RETURN(Kind server, Kind::Listen(app, options));
    return std::make_unique<MemoryServerOf>(std::move(server));
  }
  explicit MemoryServerOf(Kind server) : server_(std::move(server)) {}

  absl::StatusOr<::ipc::internal::ObjectArena> ArenaFor(absl::string_view client_app, uint64_t limit_bytes) override {
    return server_.ArenaFor(client_app, limit_bytes);
  }
  absl::StatusOr<Session> Accept(Deadline deadline) override { return server_.Accept(deadline); }

 private:
  Kind server_;
};

struct ServerScopeKind {
  SessionKindUnderTest sessions;
  absl::StatusOr<std::unique_ptr<MemoryServerUnderTest>> (*listen)(const ServerApp& app, const ServerOptions& options);
  bool peers_write = false;
};

class ServerScopeConformance : public ::testing::TestWithParam<ServerScopeKind> {};

// Tells the roles of the other processes which kind they are; done by the macro below.
int SetServerScopeKind(const ServerScopeKind& kind);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// One kind per test program; `kind` is a namespace below ::ipc with its Session and Server.
#define SLUICE_INSTANTIATE_SERVER_SCOPE_CONFORMANCE(name, kind, writes)                                    \
  static constexpr ::ipc::testing::ServerScopeKind server_scope_kind_##name = {                            \
      ::ipc::testing::KindOfSession<::ipc::kind::Session, ::ipc::kind::Server>(),                          \
      &::ipc::testing::MemoryServerOf<::ipc::kind::Server>::Listen, writes};                               \
  static const int set_server_scope_##name = ::ipc::testing::SetServerScopeKind(server_scope_kind_##name); \
  namespace ipc {                                                                                          \
  inline namespace sluice_0 {                                                                              \
  namespace testing {                                                                                      \
  INSTANTIATE_TEST_SUITE_P(name, ServerScopeConformance, ::testing::Values(server_scope_kind_##name));     \
  }                                                                                                        \
  }                                                                                                        \
  }                                                                                                        \
  static_assert(true)

#endif  // SLUICE_IPC_SHM_SERVER_SCOPE_CONFORMANCE_H_
