#include "ipc_session/internal/listening_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("socket path ", path, " is longer than 107 bytes"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<Fd> MakeSocket(int flags) {
  Fd socket(os::Socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
  if (!socket.valid()) return FromErrno(errno, "make a socket");
  return socket;
}

// A blocked connect(2) gives up after the socket's send timeout; at least a moment, as 0 means for ever.
absl::Status LimitConnect(const Fd& socket, Deadline deadline) {
  const absl::Duration limit = std::clamp(deadline.Remaining(), absl::Microseconds(1), absl::Hours(1));
  const timeval timeout = absl::ToTimeval(limit);
  if (os::SetSockOpt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0) {
    return FromErrno(errno, "limit the time of a connect");
  }
  return absl::OkStatus();
}

}  // namespace

ListeningSocket::ListeningSocket(std::string path, Fd socket)
    : path_(std::move(path)), socket_(std::move(socket)), owner_(getpid()) {}

ListeningSocket::~ListeningSocket() {
  if (owner_ == getpid()) os::Unlink(path_.c_str());
}

absl::StatusOr<std::unique_ptr<ListeningSocket>> ListeningSocket::Listen(const std::string& path, mode_t mode) {
  SLUICE_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  SLUICE_ASSIGN_OR_RETURN(Fd socket, MakeSocket(SOCK_NONBLOCK));
  const std::string what = absl::StrCat("listen at ", path);
  if (os::Unlink(path.c_str()) != 0 && errno != ENOENT) {
    return FromErrno(errno, absl::StrCat("remove what lies at ", path));
  }
  // bind(2) gives the name the socket's own mode less the umask.
  if (os::Fchmod(socket.get(), mode) != 0) return FromErrno(errno, what);
  if (os::Bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return FromErrno(errno, what);
  }
  auto listening = std::unique_ptr<ListeningSocket>(new ListeningSocket(path, std::move(socket)));
  os::Point("session.listen.bound");
  if (os::Chmod(path.c_str(), mode) != 0) return FromErrno(errno, what);
  if (os::Listen(listening->fd().get(), SOMAXCONN) != 0) return FromErrno(errno, what);
  os::Point("session.listening");
  return listening;
}

absl::StatusOr<Fd> ConnectTo(const std::string& path, Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  SLUICE_ASSIGN_OR_RETURN(Fd socket, MakeSocket(0));
  while (true) {
    SLUICE_RETURN_IF_ERROR(LimitConnect(socket, deadline));
    if (os::Connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return socket;
    if (errno == ENOENT || errno == ECONNREFUSED) {
      return WithReason(FromErrno(errno, absl::StrCat("no server listens at ", path)), Reason::kNoServer);
    }
    // EAGAIN: its queue stayed full for the time given.
    if (errno != EINTR && errno != EAGAIN) return FromErrno(errno, absl::StrCat("connect to ", path));
    if (deadline.HasPassed()) {
      return absl::DeadlineExceededError(absl::StrCat("the queue of the server at ", path, " stayed full"));
    }
  }
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
