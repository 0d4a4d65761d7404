#include "ipc_transport/internal/socket_handshake.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

uint32_t Milliseconds(absl::Duration duration) { return static_cast<uint32_t>(absl::ToInt64Milliseconds(duration)); }

absl::Status SpeaksSomethingElse() {
  return absl::DataLossError("the peer does not speak the protocol of socket pipes");
}

absl::Status WentBefore() {
  return WithReason(absl::UnavailableError("the peer has gone before the socket pipe was made"), Reason::kGone);
}

// The one step that the peer's hello goes through before it is used.
absl::Status Validate(const SocketHello& hello) {
  if (hello.magic != SocketHello::kMagic || hello.oldest_version > hello.newest_version) return SpeaksSomethingElse();
  SLUICE_RETURN_IF_ERROR(CheckCommonVersion("socket protocol",
                                            {SocketHello::kOldestVersion, SocketHello::kNewestVersion},
                                            {hello.oldest_version, hello.newest_version}));
  if (hello.max_message_bytes == 0) return absl::DataLossError("the peer takes no message at all; that cannot be");
  return absl::OkStatus();
}

absl::Status CheckSilence(const SocketHello& listener, const SocketHello& speaker, absl::string_view who_listens) {
  const bool is_heard =
      speaker.keep_alive_milliseconds != 0 && speaker.keep_alive_milliseconds < listener.idle_timeout_milliseconds;
  if (listener.idle_timeout_milliseconds == 0 || is_heard) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      who_listens, " has an idle_timeout of ", listener.idle_timeout_milliseconds, " ms, and the other side a ",
      "keep_alive_period of ", speaker.keep_alive_milliseconds, " ms; give a shorter one that is not 0"));
}

}  // namespace

absl::StatusOr<SocketHandshake> SocketHandshake::Create(Fd socket, const SocketTerms& terms) {
  int type = 0;
  socklen_t bytes = sizeof(type);
  if (os::GetSockOpt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &bytes) != 0) {
    return FromErrno(errno, "look at the socket of a pipe");
  }
  int domain = 0;
  bytes = sizeof(domain);
  if (os::GetSockOpt(socket.get(), SOL_SOCKET, SO_DOMAIN, &domain, &bytes) != 0) {
    return FromErrno(errno, "look at the socket of a pipe");
  }
  if (domain != AF_UNIX || (type != SOCK_SEQPACKET && type != SOCK_STREAM)) {
    return absl::InvalidArgumentError("a socket pipe needs a Unix socket, SOCK_SEQPACKET or SOCK_STREAM");
  }
  return SocketHandshake(std::move(socket), type == SOCK_STREAM, terms);
}

SocketHandshake::SocketHandshake(Fd socket, bool is_stream, const SocketTerms& terms)
    : socket_(std::move(socket)),
      is_stream_(is_stream),
      terms_(terms),
      own_{.max_message_bytes = terms.max_message_bytes,
           .keep_alive_milliseconds = Milliseconds(terms.keep_alive_period),
           .idle_timeout_milliseconds = Milliseconds(terms.idle_timeout)} {}

absl::StatusOr<bool> SocketHandshake::Advance() {
  SLUICE_RETURN_IF_ERROR(SendHello());
  SLUICE_ASSIGN_OR_RETURN(const bool complete, ReceiveHello());
  if (!complete || sent_ < sizeof(SocketHello)) return false;
  SLUICE_RETURN_IF_ERROR(Agree());
  return true;
}

absl::Status SocketHandshake::SendHello() {
  while (sent_ < sizeof(SocketHello)) {
    const iovec rest = {.iov_base = reinterpret_cast<std::byte*>(&own_) + sent_, .iov_len = sizeof(own_) - sent_};
    const absl::StatusOr<size_t> sent = SendSome(socket_, absl::MakeConstSpan(&rest, 1), {});
    // A peer that went has said why, perhaps.
    if (absl::IsUnavailable(sent.status())) sent_ = sizeof(SocketHello);
    if (absl::IsUnavailable(sent.status())) break;
    if (!sent.ok()) return sent.status();
    if (*sent == 0) break;
    sent_ += *sent;
    os::Point("socket.hello.sent");
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> SocketHandshake::ReceiveHello() {
  while (received_ < sizeof(SocketHello)) {
    // Not a byte beyond the hello: what follows belongs to the pipe.
    std::byte* const begin = reinterpret_cast<std::byte*>(&peer_);
    iovec rest = {.iov_base = begin + received_, .iov_len = sizeof(peer_) - received_};
    std::vector<Fd> descriptors;
    SLUICE_ASSIGN_OR_RETURN(const ReceivedPacket packet,
                            ReceivePacket(socket_, absl::MakeSpan(&rest, 1), &descriptors));
    if (packet.kind == ReceivedPacket::Kind::kNone) return false;
    if (packet.kind == ReceivedPacket::Kind::kEnd) return WentBefore();
    received_ += packet.bytes;
    const uint32_t magic = SocketHello::kMagic;
    if (!descriptors.empty() || std::memcmp(begin, &magic, std::min(received_, sizeof(magic))) != 0 ||
        (!is_stream_ && received_ != sizeof(SocketHello))) {
      return SpeaksSomethingElse();
    }
    os::Point("socket.hello.received");
  }
  return true;
}

absl::Status SocketHandshake::Agree() {
  SLUICE_RETURN_IF_ERROR(Validate(peer_));
  SLUICE_RETURN_IF_ERROR(CheckSilence(own_, peer_, "this side"));
  SLUICE_RETURN_IF_ERROR(CheckSilence(peer_, own_, "the peer"));
  terms_.max_message_bytes = std::min<uint64_t>(own_.max_message_bytes, peer_.max_message_bytes);
  return absl::OkStatus();
}

short SocketHandshake::events() const {
  return static_cast<short>((sent_ < sizeof(SocketHello) ? POLLOUT : 0) |
                            (received_ < sizeof(SocketHello) ? POLLIN : 0));
}

absl::Status SocketHandshake::Run(Deadline deadline) {
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(const bool done, Advance());
    if (done) return absl::OkStatus();
    if (deadline.HasPassed()) {
      return absl::DeadlineExceededError("the peer has not answered; does it make a socket pipe too?");
    }
    pollfd poll = {.fd = socket_.get(), .events = events(), .revents = 0};
    timespec storage;
    os::Poll(&poll, 1, deadline.ToPollTimeout(&storage));
  }
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
