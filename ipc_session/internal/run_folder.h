// The folder in which a server's socket and lock lie.

#ifndef SLUICE_IPC_SESSION_INTERNAL_RUN_FOLDER_H_
#define SLUICE_IPC_SESSION_INTERNAL_RUN_FOLDER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_util/permissions.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A folder that belongs to root or the server's uid, and that nobody else can put names of others into.
struct RunFolder {
  std::string path;
  // What it is, whatever path led to it.
  uint64_t device = 0;
  uint64_t inode = 0;
};

// `chosen` unless it is empty; else `system_folder` if it belongs to root or `server_uid`; else
// /tmp/sluice-<server_uid>.
std::string RunFolderPath(absl::string_view chosen, uid_t server_uid, const std::string& system_folder = "/run/sluice");

// The client's side: looks and changes nothing. UNAVAILABLE (kNoServer): there is none. PERMISSION_DENIED: not safe.
absl::StatusOr<RunFolder> OpenRunFolder(const std::string& path, uid_t server_uid);

// The server's side: makes it if need be, and lets in whom `permissions` says, whatever the umask. An existing folder
// of this uid is opened to more clients where `permissions` asks for it, never narrowed: another server may need it.
// PERMISSION_DENIED: not safe. UNAVAILABLE: its parent is missing.
absl::StatusOr<RunFolder> CreateRunFolder(const std::string& path, uid_t server_uid, Permissions permissions);

// "<folder>/<app>.sock". INVALID_ARGUMENT: longer than the 107 bytes that a socket's address holds.
absl::StatusOr<std::string> SocketPath(absl::string_view folder, absl::string_view app);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_RUN_FOLDER_H_
