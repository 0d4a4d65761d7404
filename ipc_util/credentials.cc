#include "ipc_util/credentials.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

absl::StatusOr<ExecutableId> IdOfFile(const std::string& path) {
  struct stat file;
  if (internal::os::Stat(path.c_str(), &file) != 0) return FromErrno(errno, absl::StrCat("look at executable ", path));
  return ExecutableId{.device = file.st_dev, .inode = file.st_ino, .deleted = file.st_nlink == 0};
}

}  // namespace

std::string ToString(const Credentials& credentials) {
  return absl::StrCat("pid ", credentials.pid, ", uid ", credentials.uid, ", gid ", credentials.gid);
}

Credentials OwnCredentials() { return {.pid = getpid(), .uid = geteuid(), .gid = getegid()}; }

absl::StatusOr<Credentials> PeerCredentials(FdView socket) {
  ucred peer;
  socklen_t bytes = sizeof(peer);
  if (internal::os::GetSockOpt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    return FromErrno(errno, "read the peer's credentials");
  }
  // The kernel's answer for a socket that has no peer.
  if (peer.uid == static_cast<uid_t>(-1))
    return absl::InvalidArgumentError("the socket is not a connected Unix socket");
  return Credentials{.pid = peer.pid, .uid = peer.uid, .gid = peer.gid};
}

absl::StatusOr<ExecutableId> ExecutableAt(absl::string_view path) { return IdOfFile(std::string(path)); }

absl::StatusOr<ExecutableId> ExecutableOf(pid_t pid) {
  absl::StatusOr<ExecutableId> id = IdOfFile(absl::StrCat("/proc/", pid, "/exe"));
  if (!id.ok() && id.status().code() == absl::StatusCode::kPermissionDenied) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot read /proc/", pid, "/exe; needs the same uid or CAP_SYS_PTRACE"));
  }
  return id;
}

}  // namespace sluice_0
}  // namespace ipc
