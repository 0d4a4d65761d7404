#include "ipc_transport/internal/frame_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>

#include "ipc_transport/internal/packet_socket.h"
#include "ipc_transport/internal/stream_socket.h"
#include "ipc_util/internal/os.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Room for several messages; the kernel's default holds three of the default size. The kernel cuts it to
// net.core.wmem_max.
constexpr int kSocketBufferBytes = 1024 * 1024;
// Kept back for the last frames, and the rest of a stream's message, so that a full socket takes them. The kernel
// doubles it, and a message may exceed the socket's buffer by its own size.
constexpr int kReserveBytes = 96 * 1024;

void SetSendBuffer(FdView socket, int bytes) {
  os::SetSockOpt(socket.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrameSocket>> FrameSocket::Create(SocketHandshake handshake) {
  if (handshake.is_stream()) return StreamSocket::Create(std::move(handshake));
  return std::make_unique<PacketSocket>(std::move(handshake));
}

FrameSocket::FrameSocket(SocketHandshake handshake)
    : max_message_bytes_(handshake.terms().max_message_bytes),
      keep_alive_(handshake.terms().keep_alive_period, handshake.terms().idle_timeout),
      socket_(std::move(handshake).TakeSocket()) {
  SetSendBuffer(socket_, kSocketBufferBytes);
  int granted = 0;
  socklen_t size = sizeof(granted);
  if (os::GetSockOpt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &granted, &size) != 0) return;
  granted /= 2;  // The kernel tells the double of what it was asked for.
  SetSendBuffer(socket_, std::max(granted - kReserveBytes, granted / 2));
}

FrameBatch FrameSocket::ReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                     std::vector<Fd>* descriptors) {
  FrameBatch batch;
  while (batch.messages < messages.size() && buffer.size() >= max_message_bytes_) {
    std::vector<Fd> own;
    const absl::StatusOr<std::optional<size_t>> bytes = Receive(buffer, {}, &own);
    if (!bytes.ok()) batch.end = bytes.status();
    if (!bytes.ok() || !bytes->has_value()) break;
    messages[batch.messages++] = {.bytes = buffer.subspan(0, **bytes),
                                  .descriptors = descriptors == nullptr ? 0 : own.size()};
    if (descriptors != nullptr) std::move(own.begin(), own.end(), std::back_inserter(*descriptors));
    buffer.remove_prefix(**bytes);
  }
  return batch;
}

absl::Status FrameSocket::TooManyNotices() { return absl::DataLossError("the peer sends keep-alives without end"); }

bool FrameSocket::HasUnread() const {
  pollfd poll = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
  const timespec now = {};
  return os::Poll(&poll, 1, &now) == 1 && (poll.revents & POLLIN) != 0;
}

void FrameSocket::Shutdown() { os::Shutdown(socket_.get(), SHUT_RDWR); }

void FrameSocket::UseReserve() { SetSendBuffer(socket_, kSocketBufferBytes); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
