#include "ipc_transport/internal/packet_socket.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

#include "absl/container/inlined_vector.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/peer_gone.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<bool> PacketSocket::SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                               absl::Span<const FdView> descriptors) {
  const FrameHeader header = {.descriptors = static_cast<uint8_t>(descriptors.size()),
                              .bytes = static_cast<uint32_t>(bytes)};
  absl::InlinedVector<Blob, 8> frame = {BytesOf(header)};
  frame.insert(frame.end(), parts.begin(), parts.end());
  const absl::StatusOr<bool> sent = SendPacket(socket(), frame, descriptors);
  if (sent.ok() && *sent) keep_alive().Spoke();
  return sent;
}

absl::StatusOr<size_t> PacketSocket::SendMessages(absl::Span<const Blob> messages) {
  std::array<FrameHeader, kMaxBatch> headers;
  std::array<std::array<iovec, 2>, kMaxBatch> parts;
  std::array<absl::Span<iovec>, kMaxBatch> packets;
  size_t sent = 0;
  while (sent < messages.size()) {
    const size_t count = std::min(messages.size() - sent, kMaxBatch);
    for (size_t i = 0; i < count; ++i) {
      const Blob& message = messages[sent + i];
      headers[i] = {.bytes = static_cast<uint32_t>(message.size())};
      parts[i] = {{{.iov_base = &headers[i], .iov_len = sizeof(FrameHeader)},
                   {.iov_base = const_cast<std::byte*>(message.data()), .iov_len = message.size()}}};
      packets[i] = absl::MakeSpan(parts[i]);
    }
    const absl::StatusOr<size_t> went = SendPackets(socket(), absl::MakeConstSpan(packets.data(), count));
    if (!went.ok() && sent == 0) return went;
    if (!went.ok() || *went == 0) break;
    sent += *went;
  }
  if (sent > 0) keep_alive().Spoke();
  return sent;
}

absl::StatusOr<bool> PacketSocket::SendNotice(FrameType type) {
  const FrameHeader header = {.type = type};
  const Blob frame = BytesOf(header);
  return SendPacket(socket(), absl::MakeConstSpan(&frame, 1), {});
}

void PacketSocket::SendKeepAlive() {
  // No room: the peer has enough that it has not read. An error shows at the next call.
  SendNotice(FrameType::kKeepAlive).IgnoreError();
  keep_alive().Spoke();
}

absl::StatusOr<bool> PacketSocket::SendLast(FrameType type) {
  const absl::StatusOr<bool> sent = SendNotice(type);
  if (!sent.ok() || *sent) return sent;
  UseReserve();
  return SendNotice(type);
}

absl::StatusOr<std::optional<FrameHeader>> PacketSocket::ReceiveFrame(absl::Span<std::byte> buffer,
                                                                      absl::Span<std::byte> overflow,
                                                                      std::vector<Fd>* descriptors) {
  FrameHeader header;
  std::array<iovec, 3> into = {{{.iov_base = &header, .iov_len = sizeof(header)},
                                {.iov_base = buffer.data(), .iov_len = buffer.size()},
                                {.iov_base = overflow.data(), .iov_len = overflow.size()}}};
  SLUICE_ASSIGN_OR_RETURN(const ReceivedPacket packet, ReceivePacket(socket(), absl::MakeSpan(into), descriptors));
  if (packet.kind == ReceivedPacket::Kind::kNone) return std::nullopt;
  if (packet.kind == ReceivedPacket::Kind::kEnd) return PeerGone();
  keep_alive().Heard();
  SLUICE_RETURN_IF_ERROR(ValidatePacket(header, packet.bytes, descriptors->size(), max_message_bytes()));
  if (header.type == FrameType::kFinish) peer_has_finished_ = true;
  return header;
}

absl::StatusOr<std::optional<size_t>> PacketSocket::Receive(absl::Span<std::byte> buffer,
                                                            absl::Span<std::byte> overflow,
                                                            std::vector<Fd>* descriptors) {
  for (int i = 0; i < kMaxNoticesAtOnce; ++i) {
    SLUICE_ASSIGN_OR_RETURN(const std::optional<FrameHeader> frame, ReceiveFrame(buffer, overflow, descriptors));
    if (!frame.has_value()) return std::nullopt;
    SLUICE_RETURN_IF_ERROR(EndOf(frame->type));
    if (frame->type == FrameType::kMessage) return frame->bytes;
  }
  return TooManyNotices();
}

FrameBatch PacketSocket::ReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                      std::vector<Fd>* descriptors) {
  const size_t count = std::min({messages.size(), buffer.size() / max_message_bytes(), kMaxBatch});
  for (int i = 0; i < kMaxNoticesAtOnce; ++i) {
    size_t packets = 0;
    FrameBatch batch = ReceivePacketBatch(buffer, messages.subspan(0, count), descriptors, &packets);
    // Again where all that came were keep-alives.
    if (batch.messages > 0 || !batch.end.ok() || packets == 0) return batch;
  }
  return {.messages = 0, .end = TooManyNotices()};
}

FrameBatch PacketSocket::ReceivePacketBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                            std::vector<Fd>* descriptors, size_t* packets) {
  std::array<FrameHeader, kMaxBatch> headers;
  std::array<std::array<iovec, 2>, kMaxBatch> parts;
  std::array<PacketSlot, kMaxBatch> slots;
  for (size_t i = 0; i < messages.size(); ++i) {
    parts[i] = {{{.iov_base = &headers[i], .iov_len = sizeof(FrameHeader)},
                 {.iov_base = &buffer[i * max_message_bytes()], .iov_len = max_message_bytes()}}};
    slots[i].parts = absl::MakeSpan(parts[i]);
  }
  const absl::StatusOr<size_t> received = ReceivePackets(socket(), absl::MakeSpan(slots.data(), messages.size()));
  if (!received.ok()) return {.messages = 0, .end = received.status()};
  *packets = *received;
  FrameBatch batch;
  for (size_t i = 0; i < *received && batch.end.ok(); ++i) {
    PacketSlot& slot = slots[i];
    batch.end = CheckSlot(headers[i], slot);
    if (batch.end.ok()) batch.end = EndOf(headers[i].type);
    if (absl::IsOutOfRange(batch.end)) {
      peer_has_finished_ = true;
      for (size_t later = i + 1; later < *received && after_finish_.ok(); ++later) {
        after_finish_ = CheckSlot(headers[later], slots[later]);
        if (after_finish_.ok()) after_finish_ = AfterFinish(headers[later].type);
      }
    }
    if (!batch.end.ok() || headers[i].type != FrameType::kMessage) continue;
    messages[batch.messages++] = {.bytes = buffer.subspan(i * max_message_bytes(), headers[i].bytes),
                                  .descriptors = descriptors == nullptr ? 0 : slot.descriptors.size()};
    if (descriptors != nullptr) {
      std::move(slot.descriptors.begin(), slot.descriptors.end(), std::back_inserter(*descriptors));
    }
  }
  return batch;
}

absl::Status PacketSocket::CheckSlot(const FrameHeader& header, const PacketSlot& slot) {
  if (slot.packet.kind == ReceivedPacket::Kind::kEnd) return PeerGone();
  keep_alive().Heard();
  SLUICE_RETURN_IF_ERROR(slot.status);
  return ValidatePacket(header, slot.packet.bytes, slot.descriptors.size(), max_message_bytes());
}

absl::Status PacketSocket::ReadNotices() {
  SLUICE_RETURN_IF_ERROR(after_finish_);
  for (int i = 0; i < kMaxNoticesAtOnce; ++i) {
    FrameHeader header;
    iovec part = {.iov_base = &header, .iov_len = sizeof(header)};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t bytes = os::RecvMsg(socket().get(), &message, MSG_PEEK | MSG_DONTWAIT);
    if (bytes < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    if (bytes < 0) return errno == EAGAIN ? absl::OkStatus() : FromErrno(errno, "look at what the peer sent");
    if (bytes == 0) return PeerGone();
    // The rest of the checks are those of who receives it.
    const bool is_whole = bytes == sizeof(header);
    if (peer_has_finished_) SLUICE_RETURN_IF_ERROR(AfterFinish(is_whole ? header.type : FrameType::kMessage));
    if (is_whole && header.type == FrameType::kGoodbye) return EndOf(header.type);
    if (!is_whole || header.type != FrameType::kKeepAlive) return absl::OkStatus();
    std::vector<Fd> descriptors;
    SLUICE_RETURN_IF_ERROR(ReceiveFrame({}, {}, &descriptors).status());
  }
  return TooManyNotices();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
