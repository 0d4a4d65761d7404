// A kind of shared-memory session, for the suites that are stamped on each.

#ifndef SLUICE_IPC_SHM_TESTING_SESSION_KIND_H_
#define SLUICE_IPC_SHM_TESTING_SESSION_KIND_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
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

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_SESSION_KIND_H_
