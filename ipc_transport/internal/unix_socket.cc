#include "ipc_transport/internal/unix_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_util/internal/backoff.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address = {};
  static_assert(sizeof(address.sun_path) == kMaxSocketPathBytes + 1);
  if (path.empty() || path.size() > kMaxSocketPathBytes || path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("a socket's path has 1 to ", kMaxSocketPathBytes, " bytes, not ",
                                                   path.size(), ", and no zero among them: ", path));
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* Generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

absl::StatusOr<Fd> MakeSocket(int flags) {
  Fd socket(os::Socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
  if (!socket.valid()) return FromErrno(errno, "make a socket");
  return socket;
}

}  // namespace

absl::StatusOr<std::pair<Fd, Fd>> MakePairOfSockets() {
  int sockets[2];
  if (os::SocketPair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return FromErrno(errno, "make a pair of sockets");
  }
  return std::pair(Fd(sockets[0]), Fd(sockets[1]));
}

absl::StatusOr<Fd> ListenAt(const std::string& path, mode_t mode, int backlog) {
  SLUICE_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  SLUICE_ASSIGN_OR_RETURN(Fd socket, MakeSocket(SOCK_NONBLOCK));
  // The file gets this mode less the umask; nobody can connect before listen(2).
  if (os::Fchmod(socket.get(), mode) != 0) return FromErrno(errno, "set the mode of a socket");
  if (os::Bind(socket.get(), Generic(address), sizeof(address)) != 0) {
    if (errno != EADDRINUSE) return FromErrno(errno, absl::StrCat("listen at ", path));
    return absl::AlreadyExistsError(
        absl::StrCat("listen at ", path, ": something is there; remove it if no server lives behind it"));
  }
  os::Point("socket.bound");
  if (os::Chmod(path.c_str(), mode) != 0 || os::Listen(socket.get(), backlog) != 0) {
    const int error = errno;
    os::Unlink(path.c_str());
    return FromErrno(error, absl::StrCat("listen at ", path));
  }
  return socket;
}

absl::StatusOr<Fd> AcceptFrom(FdView listener, Deadline deadline) {
  while (true) {
    Fd socket(os::Accept(listener.get(), SOCK_CLOEXEC));
    if (socket.valid()) return socket;
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) return FromErrno(errno, "accept a connection");
    if (deadline.HasPassed()) return absl::DeadlineExceededError("nobody connected in time");
    pollfd poll = {.fd = listener.get(), .events = POLLIN, .revents = 0};
    timespec storage;
    os::Poll(&poll, 1, deadline.ToPollTimeout(&storage));
  }
}

absl::StatusOr<Fd> ConnectToListener(const std::string& path, Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  SLUICE_ASSIGN_OR_RETURN(Fd socket, MakeSocket(0));
  while (true) {
    // How long connect(2) waits for room in the queue; zero would mean for ever.
    const timeval patience =
        deadline.never() ? timeval{} : absl::ToTimeval(std::max(deadline.Remaining(), absl::Microseconds(1)));
    os::SetSockOpt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (os::Connect(socket.get(), Generic(address), sizeof(address)) == 0) return socket;
    if (errno == EINTR && !deadline.HasPassed()) continue;
    if (errno == EAGAIN || errno == EINTR) {
      return absl::DeadlineExceededError(absl::StrCat("connect to ", path, ": the listener's queue stayed full"));
    }
    if (errno == ENOENT || errno == ECONNREFUSED) {
      return WithReason(FromErrno(errno, absl::StrCat("no server listens at ", path)), Reason::kNoServer);
    }
    return FromErrno(errno, absl::StrCat("connect to ", path));
  }
}

absl::StatusOr<Fd> ConnectOnceListening(const std::string& path, Deadline deadline) {
  absl::StatusOr<Fd> socket;
  Backoff backoff;
  const absl::Status connected = RetryUntil(
      deadline, backoff, [](const absl::Status& status) { return ReasonOf(status) == Reason::kNoServer; },
      [&] {
        socket = ConnectToListener(path, deadline);
        return socket.status();
      });
  if (!connected.ok()) return connected;
  return socket;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
