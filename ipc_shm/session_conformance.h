// What every kind of shared-memory session must do between real processes: one suite, stamped on each kind.
//
//   SLUICE_INSTANTIATE_SESSION_CONFORMANCE(Classic, session::shm::classic);
//
// Link with //ipc_util/testing:test_main: the other side is a process of its own.

#ifndef SLUICE_IPC_SHM_SESSION_CONFORMANCE_H_
#define SLUICE_IPC_SHM_SESSION_CONFORMANCE_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_session/testing/universe.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// One kind.
struct SessionKindUnderTest {
  // As the client of the tests' universe.
  absl::StatusOr<Session> (*connect)(const SessionOptions& options);
  // As its server: calls `listening`, then `serve` with one session after the other, until it or a call fails.
  absl::Status (*serve)(const ServerOptions& options, absl::FunctionRef<void()> listening,
                        absl::FunctionRef<absl::Status(Session&)> serve);
};

template <typename Session, typename Server>
constexpr SessionKindUnderTest KindOfSession() {
  return {
      .connect = [](const SessionOptions& options) -> absl::StatusOr<::ipc::Session> {
        return Session::Connect(kTestClient, kTestServer, options);
      },
      .serve =
          [](const ServerOptions& options, absl::FunctionRef<void()> listening,
             absl::FunctionRef<absl::Status(::ipc::Session&)> serve) {
            absl::StatusOr<Server> server = Server::Listen(kTestServer, options);
            if (!server.ok()) return server.status();
            listening();
            while (true) {
              absl::StatusOr<Session> session = server->Accept(Deadline::Never());
              if (!session.ok()) return session.status();
              if (absl::Status served = serve(*session); !served.ok()) return served;
            }
          },
  };
}

class SessionConformance : public ::testing::TestWithParam<SessionKindUnderTest> {};

// Tells the roles of the other processes which kind they are; done by the macro below.
int SetSessionKind(const SessionKindUnderTest& kind);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// One kind per test program; `kind` is a namespace below ::ipc with its Session and Server.
#define SLUICE_INSTANTIATE_SESSION_CONFORMANCE(name, kind)                            \
  static constexpr ::ipc::testing::SessionKindUnderTest kind_##name =                 \
      ::ipc::testing::KindOfSession<::ipc::kind::Session, ::ipc::kind::Server>();     \
  static const int set_##name = ::ipc::testing::SetSessionKind(kind_##name);          \
  namespace ipc {                                                                     \
  inline namespace sluice_0 {                                                         \
  namespace testing {                                                                 \
  INSTANTIATE_TEST_SUITE_P(name, SessionConformance, ::testing::Values(kind_##name)); \
  }                                                                                   \
  }                                                                                   \
  }                                                                                   \
  static_assert(true)

#endif  // SLUICE_IPC_SHM_SESSION_CONFORMANCE_H_
