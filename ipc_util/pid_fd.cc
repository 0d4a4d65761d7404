#include "ipc_util/pid_fd.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "ipc_util/credentials.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace ipc {
inline namespace sluice_0 {

absl::StatusOr<PidFd> PidFd::Open(pid_t pid) {
  const int fd = internal::os::PidFdOpen(pid, 0);
  if (fd < 0) return FromErrno(errno, absl::StrCat("watch process ", pid));
  return PidFd(Fd(fd));
}

absl::StatusOr<PidFd> PidFd::OfPeer(FdView socket) {
  int fd = -1;
  socklen_t bytes = sizeof(fd);
  if (internal::os::GetSockOpt(socket.get(), SOL_SOCKET, SO_PEERPIDFD, &fd, &bytes) == 0) return PidFd(Fd(fd));
  const int error = errno;
  SLUICE_ASSIGN_OR_RETURN(const Credentials peer, PeerCredentials(socket));
  if (peer.pid == 0) return PidFd();
  if (error == ENOPROTOOPT) return Open(peer.pid);  // Before Linux 6.5.
  // EINVAL: what some kernels say of a peer that was reaped; the arguments are good, as there are credentials.
  return FromErrno(error == EINVAL ? ESRCH : error, absl::StrCat("watch the peer, process ", peer.pid));
}

bool PidFd::HasEnded() const {
  if (!valid()) return false;
  pollfd poll = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
  const timespec now = {};
  return internal::os::Poll(&poll, 1, &now) == 1;
}

}  // namespace sluice_0
}  // namespace ipc
