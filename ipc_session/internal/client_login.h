// The client's side of a login.

#ifndef SLUICE_IPC_SESSION_INTERNAL_CLIENT_LOGIN_H_
#define SLUICE_IPC_SESSION_INTERNAL_CLIENT_LOGIN_H_

#include <memory>

#include "absl/status/statusor.h"
#include "ipc_session/apps.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/session_terms.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Errors as of `Session::Connect`. `factory` null: a session on the heap.
absl::StatusOr<std::shared_ptr<SessionCore>> LogIn(const App& client, const ServerApp& server,
                                                   const SessionOptions& options, const SessionMemoryFactory* factory);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_CLIENT_LOGIN_H_
