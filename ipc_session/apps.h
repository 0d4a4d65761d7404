// The universe: the programs that talk to each other, described once and compiled into all of them.

#ifndef SLUICE_IPC_SESSION_APPS_H_
#define SLUICE_IPC_SESSION_APPS_H_

#include <sys/types.h>

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_util/permissions.h"

namespace ipc {
inline namespace sluice_0 {

// A program as the operating system sees it. A constant that all programs share; two names make a first universe:
//
//   inline constexpr App kClient{.name = "cacheCli"};
//   inline constexpr ServerApp kServer{.app = {.name = "cacheSrv"}, .allowed_clients = kMayConnect};
struct App {
  // 1 to 32 of [A-Za-z0-9_-]; unique in the universe.
  absl::string_view name = {};
  // Absolute path of its executable; empty: unchecked. What counts is the file that the process runs, by device and
  // inode, never what it calls itself: a copy elsewhere is another file, a link is the same. A program whose file was
  // replaced while it ran is refused until it is restarted. A script runs its interpreter, so that is its executable,
  // as it is of every script. A container's files are others, even at the same path.
  absl::string_view executable = {};
  // Its effective uid and gid; unset: those of the process that asks.
  std::optional<uid_t> uid = {};
  std::optional<gid_t> gid = {};
};

// A program that others connect to.
struct ServerApp {
  App app = {};
  // Names of the apps that may connect.
  absl::Span<const absl::string_view> allowed_clients = {};
  Permissions permissions = Permissions::kUser;
};

// How strictly a peer's executable is compared with the universe's.
enum class ExecutablePolicy {
  kIgnore,
  kWhenReadable,  // A mismatch of device and inode refuses; one that cannot be read is logged.
  kRequired,      // One that cannot be read refuses too: needs the same uid or CAP_SYS_PTRACE.
};

// INVALID_ARGUMENT, naming the field and its value: a bad name, a relative executable, a duplicate or empty list.
absl::Status Validate(const App& app);
absl::Status Validate(const ServerApp& server);

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_APPS_H_
