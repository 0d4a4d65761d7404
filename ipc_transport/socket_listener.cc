#include "ipc_transport/socket_listener.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/handshake_set.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {

absl::StatusOr<SocketListener> SocketListener::Listen(absl::string_view path, const SocketListenerOptions& options) {
  SLUICE_RETURN_IF_ERROR(SocketPipe::Check(options.pipe));
  if (options.backlog <= 0) {
    return absl::InvalidArgumentError(absl::StrCat("backlog is ", options.backlog, "; give 1 or more"));
  }
  if (options.pending <= 0) {
    return absl::InvalidArgumentError(absl::StrCat("pending is ", options.pending, "; give 1 or more"));
  }
  if (options.handshake_timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("handshake_timeout is not positive");
  }
  std::string name(path);
  SLUICE_ASSIGN_OR_RETURN(Fd socket, internal::ListenAt(name, SocketMode(options.permissions), options.backlog));
  struct stat file;
  if (internal::os::Stat(name.c_str(), &file) != 0) return FromErrno(errno, absl::StrCat("look at ", name));
  absl::StatusOr<std::unique_ptr<internal::HandshakeSet>> clients = internal::HandshakeSet::Create(
      std::move(socket), name,
      {.max_message_bytes = options.pipe.max_message_bytes,
       .keep_alive_period = options.pipe.keep_alive_period,
       .idle_timeout = options.pipe.idle_timeout},
      {.pending = static_cast<size_t>(options.pending), .timeout = options.handshake_timeout});
  if (!clients.ok()) {
    internal::os::Unlink(name.c_str());
    return clients.status();
  }
  return SocketListener(std::move(name), *std::move(clients), file.st_dev, file.st_ino);
}

SocketListener::SocketListener(std::string path, std::unique_ptr<internal::HandshakeSet> clients, uint64_t device,
                               uint64_t inode)
    : path_(std::move(path)), clients_(std::move(clients)), device_(device), inode_(inode), owner_(getpid()) {}

SocketListener::SocketListener(SocketListener&& other) noexcept = default;

SocketListener::~SocketListener() {
  if (clients_ == nullptr || owner_ != getpid()) return;
  struct stat file;
  if (internal::os::Stat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_) {
    internal::os::Unlink(path_.c_str());
  }
}

absl::StatusOr<std::unique_ptr<SocketPipe>> SocketListener::Accept(Deadline deadline) {
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(std::optional<internal::AcceptedSocket> client, clients_->TryTake());
    if (client.has_value()) {
      return SocketPipe::FromHandshake(std::move(client->handshake), std::move(client->process));
    }
    if (deadline.HasPassed()) return absl::DeadlineExceededError("nobody connected in time");
    pollfd poll = {.fd = clients_->fd().get(), .events = POLLIN, .revents = 0};
    timespec storage;
    internal::os::Poll(&poll, 1, deadline.ToPollTimeout(&storage));
  }
}

FdView SocketListener::fd() const { return clients_->fd(); }

}  // namespace sluice_0
}  // namespace ipc
