#include "ipc_session/internal/listening_socket.h"

#include <sys/socket.h>
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
namespace internal {

ListeningSocket::ListeningSocket(std::string path, Fd socket)
    : path_(std::move(path)), socket_(std::move(socket)), owner_(getpid()) {}

ListeningSocket::~ListeningSocket() {
  if (owner_ == getpid()) os::Unlink(path_.c_str());
}

absl::StatusOr<std::unique_ptr<ListeningSocket>> ListeningSocket::Listen(const std::string& path, mode_t mode) {
  if (os::Unlink(path.c_str()) != 0 && errno != ENOENT) {
    return FromErrno(errno, absl::StrCat("remove what lies at ", path));
  }
  SLUICE_ASSIGN_OR_RETURN(Fd socket, ListenAt(path, mode, SOMAXCONN));
  os::Point("session.listening");
  return std::unique_ptr<ListeningSocket>(new ListeningSocket(path, std::move(socket)));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
