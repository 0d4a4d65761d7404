#include "ipc_util/pid_fd.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdint>

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
namespace {

// The kernel's struct pidfd_info, first version (Linux 6.13), and its request, under names of our own: Debian 12 has
// the headers of 6.1, later ones define them.
struct PidFdInfo {
  uint64_t mask;  // In: what is asked for. Out: what is told.
  uint64_t cgroup;
  uint32_t pid;
  uint32_t thread_group;
  uint32_t parent;
  uint32_t ids[8];    // Real, effective, saved and file system's: uid and gid.
  int32_t exit_code;  // A wait status, from Linux 6.15 on; spare before.
};
static_assert(sizeof(PidFdInfo) == 64);
constexpr unsigned long kPidFdGetInfo = _IOWR(0xFF, 11, PidFdInfo);
constexpr uint64_t kPidFdInfoExit = 1 << 3;

// Has its value since Linux 5.4, but a name only since glibc 2.36.
constexpr idtype_t kIdIsPidFd = static_cast<idtype_t>(3);

// POLLIN: the process has ended. POLLHUP (from Linux 6.9 on): it was reaped.
short EventsNow(FdView process) {
  pollfd poll = {.fd = process.get(), .events = POLLIN, .revents = 0};
  const timespec now = {};
  return internal::os::Poll(&poll, 1, &now) == 1 ? poll.revents : 0;
}

// What the kernel says of the end of a process.
struct Answer {
  ProcessEnd end;
  bool final = true;  // False: it says more when the process was reaped.
};

Answer AskOfReaped(FdView process) {
  PidFdInfo info = {};
  info.mask = kPidFdInfoExit;
  // An error: before Linux 6.13, or a process of a foreign pid namespace.
  if (internal::os::Ioctl(process.get(), kPidFdGetInfo, &info) != 0) return {};
  if ((info.mask & kPidFdInfoExit) == 0) return {.end = {}, .final = false};
  if (WIFEXITED(info.exit_code)) return {{ProcessEnd::How::kExited, WEXITSTATUS(info.exit_code)}};
  return {{ProcessEnd::How::kKilled, WTERMSIG(info.exit_code)}};
}

ProcessEnd AskOfChild(FdView process) {
  siginfo_t info = {};
  const int options = WEXITED | WNOWAIT | WNOHANG;
  // An error: somebody else's child, or one that was reaped.
  if (internal::os::WaitId(kIdIsPidFd, static_cast<id_t>(process.get()), &info, options) != 0) return {};
  if (info.si_code == CLD_EXITED) return {ProcessEnd::How::kExited, info.si_status};
  if (info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED) return {ProcessEnd::How::kKilled, info.si_status};
  return {};
}

// Of a process that has ended.
Answer Ask(FdView process) {
  const ProcessEnd of_child = AskOfChild(process);
  if (of_child.how != ProcessEnd::How::kUnknown) return {of_child};
  return AskOfReaped(process);
}

// Whether nobody has the other end of `socket` any more.
bool IsHungUp(FdView socket) {
  pollfd poll = {.fd = socket.get(), .events = 0, .revents = 0};
  const timespec now = {};
  return internal::os::Poll(&poll, 1, &now) == 1 && (poll.revents & POLLHUP) != 0;
}

}  // namespace

absl::StatusOr<PidFd> PidFd::Open(pid_t pid) {
  const int fd = internal::os::PidFdOpen(pid, 0);
  if (fd < 0) return FromErrno(errno, absl::StrCat("watch process ", pid));
  return PidFd(Fd(fd), pid);
}

absl::StatusOr<PidFd> PidFd::OfPeer(FdView socket) {
  int number = -1;
  socklen_t bytes = sizeof(number);
  const int error = internal::os::GetSockOpt(socket.get(), SOL_SOCKET, SO_PEERPIDFD, &number, &bytes) == 0 ? 0 : errno;
  Fd fd(number);
  SLUICE_ASSIGN_OR_RETURN(const Credentials peer, PeerCredentials(socket));
  if (error == 0) return PidFd(std::move(fd), peer.pid);
  if (peer.pid == 0) return PidFd();
  if (error == ENOPROTOOPT) {  // Before Linux 6.5.
    SLUICE_ASSIGN_OR_RETURN(PidFd process, Open(peer.pid));
    // A live process of this number is the peer if the peer's end was still open then; else it may be a later one.
    return IsHungUp(socket) && !process.HasEnded() ? PidFd() : std::move(process);
  }
  // EINVAL: what some kernels say of a peer that was reaped; the arguments are good, as there are credentials.
  return FromErrno(error == EINVAL ? ESRCH : error, absl::StrCat("watch the peer, process ", peer.pid));
}

bool PidFd::HasEnded() const { return valid() && (EventsNow(fd_) & POLLIN) != 0; }

std::optional<ProcessEnd> PidFd::End() const {
  if (!HasEnded()) return std::nullopt;
  return Ask(fd_).end;
}

std::optional<ProcessEnd> PidFd::WaitForEnd(Deadline deadline) const {
  while (valid()) {
    const short events = EventsNow(fd_);
    const bool ended = (events & POLLIN) != 0;
    if (ended) {
      const Answer answer = Ask(fd_);
      if (answer.final || (events & POLLHUP) != 0 || deadline.HasPassed()) return answer.end;
    }
    if (deadline.HasPassed()) return std::nullopt;
    pollfd poll = {.fd = fd_.get(), .events = static_cast<short>(ended ? 0 : POLLIN), .revents = 0};
    timespec storage;
    internal::os::Poll(&poll, 1, deadline.ToPollTimeout(&storage));
  }
  return std::nullopt;
}

absl::Status PeerEndedError(const ProcessEnd& end, pid_t pid) {
  const std::string process = pid == 0 ? "the peer's process" : absl::StrCat("the peer's process ", pid);
  switch (end.how) {
    case ProcessEnd::How::kExited:
      return WithReason(absl::UnavailableError(absl::StrCat(process, " exited with code ", end.code)), Reason::kExited);
    case ProcessEnd::How::kKilled:
      return WithReason(absl::UnavailableError(absl::StrCat(process, " was killed by signal ", end.code)),
                        Reason::kKilled);
    case ProcessEnd::How::kUnknown:
      break;
  }
  return WithReason(absl::UnavailableError(absl::StrCat(process, " has ended")), Reason::kGone);
}

}  // namespace sluice_0
}  // namespace ipc
