// Whether a peer is the app that it should be.

#ifndef SLUICE_IPC_SESSION_INTERNAL_IDENTITY_H_
#define SLUICE_IPC_SESSION_INTERNAL_IDENTITY_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "ipc_session/apps.h"
#include "ipc_util/credentials.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// An app of the universe, with what is left open filled in from this process. Owns its text.
struct Identity {
  explicit Identity(const App& app);

  std::string name;
  std::string executable;
  uid_t uid;
  gid_t gid;
};

// PERMISSION_DENIED (kWrongUser): another uid or gid.
absl::Status CheckUser(const Identity& expected, const Credentials& peer);

// PERMISSION_DENIED (kWrongExecutable): it runs another file, or, where `policy` asks for it, that cannot be told.
// UNAVAILABLE (kGone): it has ended. `process` is the peer's; empty where its pid is 0, or where it has gone.
absl::Status CheckExecutable(const Identity& expected, const Credentials& peer, const PidFd& process,
                             ExecutablePolicy policy);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_IDENTITY_H_
