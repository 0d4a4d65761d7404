// A process held by descriptor: it cannot be confused with a later one of the same number.

#ifndef SLUICE_IPC_UTIL_PID_FD_H_
#define SLUICE_IPC_UTIL_PID_FD_H_

#include <sys/types.h>

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {

// How a process ended.
struct ProcessEnd {
  enum class How {
    kUnknown,  // The kernel does not tell.
    kExited,   // By itself.
    kKilled,   // By a signal.
  };

  How how = How::kUnknown;
  int code = 0;  // kExited: the exit code, 0 to 255. kKilled: the signal.

  friend bool operator==(const ProcessEnd&, const ProcessEnd&) = default;
};

// Move-only. Any thread may ask; `fd()` becomes readable when the process has ended (a zombie has ended).
class PidFd {
 public:
  // An empty one watches nobody: `HasEnded()` is false for ever.
  PidFd() = default;

  // Process `pid`, as it is now. UNAVAILABLE: there is none. FAILED_PRECONDITION: the kernel has no pidfd_open.
  static absl::StatusOr<PidFd> Open(pid_t pid);

  // The peer of a connected Unix socket: exact from Linux 6.5 on (SO_PEERPIDFD). Before, the process that now has the
  // pid of the peer's credentials; it is another one only if the peer has ended, its pid was used again, and somebody
  // else, a forked child of the peer, holds its end of the socket. Empty when that pid is 0 (a foreign pid namespace),
  // or when the other end is closed and the pid may be another's: then the end of the socket tells. UNAVAILABLE: it has
  // ended.
  static absl::StatusOr<PidFd> OfPeer(FdView socket);

  bool valid() const { return fd_.valid(); }
  FdView fd() const { return fd_; }
  // What its number was when it was opened; 0: empty, or in a foreign pid namespace.
  pid_t pid() const { return pid_; }
  bool HasEnded() const;

  // How the process ended; nullopt: it has not. The kernel tells of own children until they are reaped, and from Linux
  // 6.15 on of every process once its parent has reaped it. Reaps nobody.
  std::optional<ProcessEnd> End() const;

  // As `End`, waited for until `deadline`: first for the end, then for the kernel to tell how. Of an empty one nothing
  // is waited for.
  std::optional<ProcessEnd> WaitForEnd(Deadline deadline) const;

 private:
  PidFd(Fd fd, pid_t pid) : fd_(std::move(fd)), pid_(pid) {}

  Fd fd_;
  pid_t pid_ = 0;
};

// UNAVAILABLE with kExited, kKilled or kGone, as `end` is: "the peer's process 4711 was killed by signal 9".
// `pid` 0: unknown, and left out.
absl::Status PeerEndedError(const ProcessEnd& end, pid_t pid);

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_PID_FD_H_
