// A universe for tests of sessions, and an echo server as a peer.

#ifndef SLUICE_IPC_SESSION_TESTING_UNIVERSE_H_
#define SLUICE_IPC_SESSION_TESTING_UNIVERSE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_session/apps.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_transport/channel.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

inline constexpr App kTestClient{.name = "cacheCli"};
inline constexpr absl::string_view kMayConnect[] = {"cacheCli"};
inline constexpr ServerApp kTestServer{.app = {.name = "cacheSrv"}, .allowed_clients = kMayConnect};

// Options of either side in `folder`, with the tests' time limit.
SessionOptions OptionsIn(const std::string& folder);
ServerOptions ServerOptionsIn(const std::string& folder);

// Sends back what comes in on `channel` until the other side has finished or gone; its last status.
absl::Status Echo(Channel& channel);

// Sends `text` on `channel` and returns what comes back, or the error's text.
std::string Ask(Channel& channel, absl::string_view text);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_TESTING_UNIVERSE_H_
