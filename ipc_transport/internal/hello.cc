#include "ipc_transport/internal/hello.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <cerrno>

#include "ipc_transport/internal/descriptors.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

absl::Status Gone() {
  return WithReason(absl::UnavailableError("the peer has gone before the pipe was made"), Reason::kGone);
}

}  // namespace

absl::Status CheckCompanion(FdView socket) {
  int type = 0;
  socklen_t bytes = sizeof(type);
  if (os::GetSockOpt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &bytes) != 0) {
    return FromErrno(errno, "look at the socket of a pipe");
  }
  if (type == SOCK_SEQPACKET) return absl::OkStatus();
  return absl::InvalidArgumentError("this kind of pipe needs a SOCK_SEQPACKET socket");
}

absl::Status SendHello(FdView socket, Blob hello, absl::Span<const FdView> descriptors, Deadline deadline) {
  const absl::StatusOr<bool> sent = SendPacketBy(socket, absl::MakeConstSpan(&hello, 1), descriptors, deadline);
  if (absl::IsUnavailable(sent.status())) return Gone();
  if (!sent.ok()) return sent.status();
  if (*sent) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      "the socket of the pipe has no room: give a fresh one without unread data, or raise RLIMIT_NOFILE");
}

absl::StatusOr<size_t> ReceiveHello(FdView socket, absl::Span<std::byte> hello, std::vector<Fd>* descriptors,
                                    Deadline deadline) {
  iovec part = {.iov_base = hello.data(), .iov_len = hello.size()};
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(const ReceivedPacket received,
                            ReceivePacket(socket, absl::MakeSpan(&part, 1), descriptors));
    if (received.kind == ReceivedPacket::Kind::kPacket) return received.bytes;
    if (received.kind == ReceivedPacket::Kind::kEnd) return Gone();
    if (deadline.HasPassed()) {
      return absl::DeadlineExceededError("the peer has not answered; does it make a pipe of the same kind?");
    }
    pollfd poll = {.fd = socket.get(), .events = POLLIN, .revents = 0};
    timespec storage;
    os::Poll(&poll, 1, deadline.ToPollTimeout(&storage));
  }
}

absl::StatusOr<PidFd> WatchPeer(FdView socket) {
  // Only a pair has no name at either end.
  sockaddr_un address;
  for (const auto name_of : {&os::GetSockName, &os::GetPeerName}) {
    socklen_t bytes = sizeof(address);
    if (name_of(socket.get(), reinterpret_cast<sockaddr*>(&address), &bytes) == 0 &&
        bytes > sizeof(address.sun_family)) {
      return PidFd::OfPeer(socket);
    }
  }
  return PidFd();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
