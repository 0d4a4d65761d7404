#include "ipc_util/testing/named_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>

#include "absl/time/time.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) std::abort();
  path.copy(address.sun_path, path.size());
  return address;
}

Fd MakeSocket() { return Fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)); }

}  // namespace

NamedSocket::NamedSocket() : socket_(MakeSocket()) {
  const sockaddr_un address = AddressOf(path_);
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      chmod(path_.c_str(), 0666) != 0 || listen(socket_.get(), SOMAXCONN) != 0) {
    std::abort();
  }
}

Fd NamedSocket::Accept() {
  pollfd poll_fd = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
  if (poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))) != 1) std::abort();
  return Fd(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

Fd NamedSocket::ConnectTo(const std::string& path) {
  const sockaddr_un address = AddressOf(path);
  Fd socket = MakeSocket();
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) std::abort();
  return socket;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
