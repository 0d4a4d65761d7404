#include "ipc_transport/socket_listener.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
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
  std::string name(path);
  SLUICE_ASSIGN_OR_RETURN(Fd socket, internal::ListenAt(name, SocketMode(options.permissions), options.backlog));
  struct stat file;
  if (internal::os::Stat(name.c_str(), &file) != 0) return FromErrno(errno, absl::StrCat("look at ", name));
  return SocketListener(std::move(name), std::move(socket), options.pipe, file.st_dev, file.st_ino);
}

SocketListener::SocketListener(std::string path, Fd socket, const SocketPipeOptions& options, uint64_t device,
                               uint64_t inode)
    : path_(std::move(path)),
      socket_(std::move(socket)),
      options_(options),
      device_(device),
      inode_(inode),
      owner_(getpid()) {}

SocketListener::~SocketListener() {
  if (!socket_.valid() || owner_ != getpid()) return;
  struct stat file;
  if (internal::os::Stat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_) {
    internal::os::Unlink(path_.c_str());
  }
}

absl::StatusOr<std::unique_ptr<SocketPipe>> SocketListener::Accept(Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(Fd socket, internal::AcceptFrom(socket_, deadline));
  return SocketPipe::FromSocket(std::move(socket), options_);
}

}  // namespace sluice_0
}  // namespace ipc
