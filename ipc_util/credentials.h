// Who is at the other end of a Unix socket, as the kernel tells it.

#ifndef SLUICE_IPC_UTIL_CREDENTIALS_H_
#define SLUICE_IPC_UTIL_CREDENTIALS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {

// A process's identity. For a peer: uid and gid as they were when the connection was made.
struct Credentials {
  pid_t pid = 0;  // 0: in a foreign pid namespace.
  uid_t uid = 0;
  gid_t gid = 0;

  friend bool operator==(const Credentials&, const Credentials&) = default;
};

// "pid 12, uid 1000, gid 1000".
std::string ToString(const Credentials& credentials);

Credentials OwnCredentials();

// The peer of a connected Unix socket (SO_PEERCRED). INVALID_ARGUMENT: not such a socket.
absl::StatusOr<Credentials> PeerCredentials(FdView socket);

// An executable file by what it is, not by what it is called.
struct ExecutableId {
  uint64_t device = 0;
  uint64_t inode = 0;
  // Whether no path leads to it any more: it was replaced or removed while it ran. Not compared.
  bool deleted = false;

  friend bool operator==(const ExecutableId& a, const ExecutableId& b) {
    return a.device == b.device && a.inode == b.inode;
  }
};

// The file at `path`. UNAVAILABLE: there is none. PERMISSION_DENIED: it cannot be looked at.
absl::StatusOr<ExecutableId> ExecutableAt(absl::string_view path);

// What process `pid` runs (/proc/PID/exe). PERMISSION_DENIED: another user's process; needs the same uid or
// CAP_SYS_PTRACE. UNAVAILABLE: no such process, a zombie, or no /proc. Check the process's PidFd afterwards: the number
// may have been reused meanwhile.
absl::StatusOr<ExecutableId> ExecutableOf(pid_t pid);

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_CREDENTIALS_H_
