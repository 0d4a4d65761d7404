#include "ipc_transport/socket_pipe.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <type_traits>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

namespace os = internal::os;
using internal::ReceivedPacket;

constexpr size_t kMaxMessageBytes = 128 * 1024;
// Room for several messages; the kernel's default holds three of the default size. The kernel cuts it to
// net.core.wmem_max.
constexpr int kSocketBufferBytes = 1024 * 1024;
// Kept back for the last frames, so that a full socket takes them. The kernel doubles it, and a message may exceed the
// socket's buffer by its own size.
constexpr int kReserveBytes = 96 * 1024;
constexpr uint8_t kVersion = 1;

enum class FrameType : uint8_t { kMessage = 1, kFinish = 2, kGoodbye = 3 };

// Before each message, and alone for the others: so a message of no bytes is no end of the socket.
struct FrameHeader {
  uint8_t version = kVersion;
  FrameType type = FrameType::kMessage;
  uint8_t descriptors = 0;
  uint8_t reserved = 0;
  uint32_t bytes = 0;
};
static_assert(std::is_trivially_copyable_v<FrameHeader> && sizeof(FrameHeader) == 8);

Blob BytesOf(const FrameHeader& header) { return Blob(reinterpret_cast<const std::byte*>(&header), sizeof(header)); }

// The one step that a frame of the peer goes through before it is used.
absl::Status Validate(const FrameHeader& header, size_t frame_bytes, size_t descriptors) {
  if (frame_bytes >= sizeof(header) && header.version != kVersion) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat("the peer speaks version ", header.version,
                                                                 " of the socket protocol, this side ", kVersion)),
                      Reason::kWrongVersion);
  }
  const bool known = header.type == FrameType::kMessage ||
                     ((header.type == FrameType::kFinish || header.type == FrameType::kGoodbye) && header.bytes == 0 &&
                      header.descriptors == 0);
  if (frame_bytes < sizeof(header) || !known || header.reserved != 0 || frame_bytes - sizeof(header) != header.bytes ||
      header.descriptors != descriptors || descriptors > internal::kMaxDescriptors) {
    return absl::DataLossError(absl::StrCat("the peer sent a frame of ", frame_bytes, " bytes and ", descriptors,
                                            " descriptors that cannot be"));
  }
  return absl::OkStatus();
}

void SetSendBuffer(FdView socket, int bytes) {
  os::SetSockOpt(socket.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

// The buffer for messages: what the kernel grants, less the reserve.
void SetMessageBuffer(FdView socket) {
  SetSendBuffer(socket, kSocketBufferBytes);
  int granted = 0;
  socklen_t size = sizeof(granted);
  if (os::GetSockOpt(socket.get(), SOL_SOCKET, SO_SNDBUF, &granted, &size) != 0) return;
  SetSendBuffer(socket, granted / 2 - kReserveBytes);  // The kernel tells the double of what it was asked for.
}

// Sends a frame after which no message follows; false: not even the reserve had room.
absl::StatusOr<bool> SendLastFrame(FdView socket, FrameType type) {
  const FrameHeader header = {.type = type};
  const Blob frame = BytesOf(header);
  const absl::StatusOr<bool> sent = internal::SendPacket(socket, absl::MakeConstSpan(&frame, 1), {});
  if (!sent.ok() || *sent) return sent;
  SetSendBuffer(socket, kSocketBufferBytes);
  return internal::SendPacket(socket, absl::MakeConstSpan(&frame, 1), {});
}

absl::Status Gone() {
  return WithReason(absl::UnavailableError("the peer's process, or its end of the socket, is gone"), Reason::kGone);
}

}  // namespace

absl::StatusOr<std::pair<std::unique_ptr<SocketPipe>, std::unique_ptr<SocketPipe>>> SocketPipe::CreatePair(
    const SocketPipeOptions& options) {
  int sockets[2];
  if (os::SocketPair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return FromErrno(errno, "make a pair of sockets");
  }
  Fd first_socket(sockets[0]);
  Fd second_socket(sockets[1]);
  SLUICE_ASSIGN_OR_RETURN(auto first, FromSocket(std::move(first_socket), options));
  SLUICE_ASSIGN_OR_RETURN(auto second, FromSocket(std::move(second_socket), options));
  return std::make_pair(std::move(first), std::move(second));
}

absl::Status SocketPipe::Check(const SocketPipeOptions& options) {
  if (options.max_message_bytes >= 1 && options.max_message_bytes <= kMaxMessageBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("max_message_bytes is ", options.max_message_bytes, "; give 1 to ", kMaxMessageBytes));
}

absl::StatusOr<std::unique_ptr<SocketPipe>> SocketPipe::Connect(absl::string_view path, Deadline deadline,
                                                                const SocketPipeOptions& options) {
  SLUICE_RETURN_IF_ERROR(Check(options));
  SLUICE_ASSIGN_OR_RETURN(Fd socket, internal::ConnectToListener(std::string(path), deadline));
  return FromSocket(std::move(socket), options);
}

absl::StatusOr<std::unique_ptr<SocketPipe>> SocketPipe::FromSocket(Fd socket, const SocketPipeOptions& options) {
  SLUICE_RETURN_IF_ERROR(Check(options));
  int type = 0;
  socklen_t bytes = sizeof(type);
  if (os::GetSockOpt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &bytes) != 0) {
    return FromErrno(errno, "look at the socket of a pipe");
  }
  if (type != SOCK_SEQPACKET) return absl::InvalidArgumentError("a socket pipe needs a SOCK_SEQPACKET socket");
  SetMessageBuffer(socket);
  return std::unique_ptr<SocketPipe>(new SocketPipe(std::move(socket), options.max_message_bytes));
}

SocketPipe::SocketPipe(Fd socket, size_t max_message_bytes)
    : BufferedPipe(max_message_bytes, internal::kMaxDescriptors), socket_(std::move(socket)) {}

SocketPipe::~SocketPipe() { Close(); }

absl::StatusOr<bool> SocketPipe::SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                             absl::Span<const FdView> descriptors) {
  const FrameHeader header = {.descriptors = static_cast<uint8_t>(descriptors.size()),
                              .bytes = static_cast<uint32_t>(bytes)};
  absl::InlinedVector<Blob, 8> frame = {BytesOf(header)};
  frame.insert(frame.end(), parts.begin(), parts.end());
  absl::StatusOr<bool> sent = internal::SendPacket(socket_, frame, descriptors);
  if (absl::IsUnavailable(sent.status())) return Gone();
  refused_descriptors_ = sent.ok() && !*sent && !descriptors.empty();
  return sent;
}

absl::StatusOr<std::optional<size_t>> SocketPipe::ReceiveMessage(absl::Span<std::byte> buffer,
                                                                 absl::Span<std::byte> overflow,
                                                                 std::vector<Fd>* descriptors) {
  FrameHeader header;
  std::array<iovec, 3> into = {{{.iov_base = &header, .iov_len = sizeof(header)},
                                {.iov_base = buffer.data(), .iov_len = buffer.size()},
                                {.iov_base = overflow.data(), .iov_len = overflow.size()}}};
  const absl::StatusOr<ReceivedPacket> packet = internal::ReceivePacket(socket_, absl::MakeSpan(into), descriptors);
  if (!packet.ok()) return End(packet.status());
  if (packet->kind == ReceivedPacket::Kind::kNone) return std::nullopt;
  if (packet->kind == ReceivedPacket::Kind::kEnd) return End(Gone());
  const absl::Status valid = Validate(header, packet->bytes, descriptors->size());
  if (!valid.ok()) return End(valid);
  if (header.type == FrameType::kFinish) return End(internal::PeerFinished());
  if (header.type == FrameType::kGoodbye) return End(internal::PeerClosed());
  return header.bytes;
}

absl::Status SocketPipe::End(absl::Status status) {
  // All but the orderly end of one direction ends both.
  if (!absl::IsOutOfRange(status)) os::Shutdown(socket_.get(), SHUT_RDWR);
  return status;
}

absl::Status SocketPipe::WaitFor(short event, internal::Spinner& spinner, internal::DirectionStats& stats,
                                 Deadline deadline) {
  pollfd poll = {.fd = socket_.get(), .events = event, .revents = 0};
  const auto is_ready = [&] {
    const timespec now = {};
    return os::Poll(&poll, 1, &now) != 0;
  };
  if (spinner.Spin(wait_mode(), deadline, is_ready, [] {})) {
    stats.CountSpin();
  } else {
    stats.CountSleep();
    timespec storage;
    os::Poll(&poll, 1, deadline.ToPollTimeout(&storage));
  }
  // An error or hang-up is worth an attempt too: it reports the end. So is an interrupted wait.
  if (poll.revents != 0 || is_closed() || !deadline.HasPassed()) return absl::OkStatus();
  return internal::NothingCame();
}

absl::Status SocketPipe::WaitForRoom(Deadline deadline) {
  if (!refused_descriptors_) return WaitFor(POLLOUT, send_spinner_, send_stats(), deadline);
  const absl::Status status =
      WaitFor(/*event=*/0, send_spinner_, send_stats(), Earlier(deadline, internal::kInFlightTick));
  return deadline.HasPassed() ? status : absl::OkStatus();
}

absl::Status SocketPipe::WaitForMessage(Deadline deadline) {
  return WaitFor(POLLIN, receive_spinner_, receive_stats(), deadline);
}

absl::StatusOr<Waitable> SocketPipe::SendWaitable() { return Waitable{.fd = socket_, .events = POLLOUT}; }

absl::StatusOr<Waitable> SocketPipe::ReceiveWaitable() { return Waitable{.fd = socket_, .events = POLLIN}; }

absl::Status SocketPipe::SendFinish() {
  const absl::StatusOr<bool> sent = SendLastFrame(socket_, FrameType::kFinish);
  if (absl::IsUnavailable(sent.status())) return Gone();
  if (!sent.ok()) return sent.status();
  if (!*sent) return absl::ResourceExhaustedError("no room in the socket to finish; raise net.core.wmem_max");
  return absl::OkStatus();
}

void SocketPipe::Shut() {
  SendLastFrame(socket_, FrameType::kGoodbye).IgnoreError();  // No room: the end of the socket tells.
  os::Shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace sluice_0
}  // namespace ipc
