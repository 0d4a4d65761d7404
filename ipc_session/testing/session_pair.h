// Both ends of a session in one process, after a real login.

#ifndef SLUICE_IPC_SESSION_TESTING_SESSION_PAIR_H_
#define SLUICE_IPC_SESSION_TESTING_SESSION_PAIR_H_

#include <optional>

#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_util/testing/temp_dir.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Ends the program where the login fails.
struct SessionPair {
  // Both sides with the default options.
  SessionPair();
  // `options` without their folder and deadline.
  SessionPair(SessionOptions client_options, SessionOptions server_options);

  TempDir folder;
  std::optional<Server> listener;
  std::optional<Session> client;
  std::optional<Session> server;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_TESTING_SESSION_PAIR_H_
