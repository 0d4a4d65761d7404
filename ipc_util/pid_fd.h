// A process held by descriptor: it cannot be confused with a later one of the same number.

#ifndef SLUICE_IPC_UTIL_PID_FD_H_
#define SLUICE_IPC_UTIL_PID_FD_H_

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {

// Move-only. Any thread may ask; `fd()` becomes readable when the process has ended (a zombie has ended).
class PidFd {
 public:
  // An empty one watches nobody: `HasEnded()` is false for ever.
  PidFd() = default;

  // Process `pid`, as it is now. UNAVAILABLE: there is none. FAILED_PRECONDITION: the kernel has no pidfd_open.
  static absl::StatusOr<PidFd> Open(pid_t pid);

  // The peer of a connected Unix socket: exact from Linux 6.5 on (SO_PEERPIDFD); before, the process that now has the
  // pid of the peer's credentials. Empty when that pid is 0 (a foreign pid namespace).
  // UNAVAILABLE: it has ended.
  static absl::StatusOr<PidFd> OfPeer(FdView socket);

  bool valid() const { return fd_.valid(); }
  FdView fd() const { return fd_; }
  bool HasEnded() const;

 private:
  explicit PidFd(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_PID_FD_H_
