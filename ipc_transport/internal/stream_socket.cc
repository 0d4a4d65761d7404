#include "ipc_transport/internal/stream_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/epoll.h"
#include "ipc_transport/internal/peer_gone.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using IoVectors = absl::InlinedVector<iovec, 8>;

iovec VectorOf(Blob blob) { return {.iov_base = const_cast<std::byte*>(blob.data()), .iov_len = blob.size()}; }

size_t TotalBytes(absl::Span<const iovec> parts) {
  size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  return bytes;
}

// The `bytes` bytes of `parts` that follow the first `skipped`.
IoVectors Slice(absl::Span<const iovec> parts, size_t skipped, size_t bytes) {
  IoVectors slice;
  for (const iovec& part : parts) {
    const size_t skip = std::min(skipped, part.iov_len);
    const size_t take = std::min(bytes, part.iov_len - skip);
    skipped -= skip;
    bytes -= take;
    if (take > 0) slice.push_back({.iov_base = static_cast<std::byte*>(part.iov_base) + skip, .iov_len = take});
  }
  return slice;
}

// From `parts`, whose sizes sum up to it, into one piece, and back.
void Gather(absl::Span<const iovec> parts, std::byte* to) {
  for (const iovec& part : parts) {
    std::copy_n(static_cast<const std::byte*>(part.iov_base), part.iov_len, to);
    to += part.iov_len;
  }
}
void Scatter(const std::byte* from, absl::Span<const iovec> parts) {
  for (const iovec& part : parts) {
    std::copy_n(from, part.iov_len, static_cast<std::byte*>(part.iov_base));
    from += part.iov_len;
  }
}

absl::Status StrayDescriptors() {
  return absl::DataLossError("the peer sent descriptors in the middle of a frame; that cannot be");
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrameSocket>> StreamSocket::Create(SocketHandshake handshake) {
  std::unique_ptr<StreamSocket> stream(new StreamSocket(std::move(handshake)));
  SLUICE_ASSIGN_OR_RETURN(stream->epoll_, MakeEpoll());
  SLUICE_RETURN_IF_ERROR(Watch(stream->epoll_, stream->socket(), EPOLLIN));
  return stream;
}

absl::StatusOr<bool> StreamSocket::SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                               absl::Span<const FdView> descriptors) {
  const FrameHeader header = {.descriptors = static_cast<uint8_t>(descriptors.size()),
                              .bytes = static_cast<uint32_t>(bytes)};
  IoVectors frame = {VectorOf(BytesOf(header))};
  for (const Blob& part : parts) frame.push_back(VectorOf(part));
  MutexLock lock(send_mutex_);
  SLUICE_ASSIGN_OR_RETURN(const bool flushed, FlushLocked());
  if (!flushed) return false;
  SLUICE_ASSIGN_OR_RETURN(const size_t sent, SendSome(socket(), frame, descriptors));
  if (sent == 0) return false;
  keep_alive().Spoke();
  KeepRest(frame, sent);
  return true;
}

absl::StatusOr<size_t> StreamSocket::SendMessages(absl::Span<const Blob> messages) {
  std::array<FrameHeader, kMaxBatch> headers;
  std::array<iovec, 2 * kMaxBatch> frames;
  size_t sent = 0;
  MutexLock lock(send_mutex_);
  while (sent < messages.size()) {
    absl::StatusOr<bool> flushed = FlushLocked();
    if (!flushed.ok() && sent == 0) return flushed.status();
    if (!flushed.ok() || !*flushed) break;
    const size_t count = std::min(messages.size() - sent, kMaxBatch);
    for (size_t i = 0; i < count; ++i) {
      headers[i] = {.bytes = static_cast<uint32_t>(messages[sent + i].size())};
      frames[2 * i] = VectorOf(BytesOf(headers[i]));
      frames[2 * i + 1] = VectorOf(messages[sent + i]);
    }
    const absl::StatusOr<size_t> bytes = SendSome(socket(), absl::MakeConstSpan(frames.data(), 2 * count), {});
    if (!bytes.ok() && sent == 0) return bytes.status();
    if (!bytes.ok() || *bytes == 0) break;
    keep_alive().Spoke();
    // Those that went whole, and one of which a part did.
    size_t left = *bytes;
    for (size_t i = 0; i < count && left > 0; ++i, ++sent) {
      const absl::Span<const iovec> frame(&frames[2 * i], 2);
      const size_t part = std::min(left, TotalBytes(frame));
      left -= part;
      KeepRest(frame, part);
    }
  }
  return sent;
}

void StreamSocket::SendKeepAlive() {
  const FrameHeader header = {.type = FrameType::kKeepAlive};
  const iovec frame = VectorOf(BytesOf(header));
  MutexLock lock(send_mutex_);
  // No room: the peer has enough that it has not read. An error shows at the next call.
  const absl::StatusOr<bool> flushed = FlushLocked();
  if (flushed.ok() && *flushed) {
    const absl::StatusOr<size_t> sent = SendSome(socket(), absl::MakeConstSpan(&frame, 1), {});
    if (sent.ok() && *sent > 0) KeepRest(absl::MakeConstSpan(&frame, 1), *sent);
  }
  keep_alive().Spoke();
}

absl::StatusOr<bool> StreamSocket::SendLast(FrameType type) {
  const FrameHeader header = {.type = type};
  const iovec frame = VectorOf(BytesOf(header));
  MutexLock lock(send_mutex_);
  KeepRest(absl::MakeConstSpan(&frame, 1), 0);
  SLUICE_ASSIGN_OR_RETURN(const bool flushed, FlushLocked());
  if (!flushed) {
    UseReserve();
    SLUICE_RETURN_IF_ERROR(FlushLocked().status());
  }
  return true;
}

absl::Status StreamSocket::Flush() {
  MutexLock lock(send_mutex_);
  return FlushLocked().status();
}

absl::StatusOr<bool> StreamSocket::FlushLocked() {
  while (rest_sent_ < rest_.size()) {
    const iovec rest = VectorOf(absl::MakeConstSpan(rest_).subspan(rest_sent_));
    SLUICE_ASSIGN_OR_RETURN(const size_t sent, SendSome(socket(), absl::MakeConstSpan(&rest, 1), {}));
    if (sent == 0) return false;
    rest_sent_ += sent;
    keep_alive().Spoke();
  }
  if (!rest_.empty()) {
    rest_.clear();
    rest_sent_ = 0;
    SetHasRest(false);
  }
  return true;
}

void StreamSocket::KeepRest(absl::Span<const iovec> parts, size_t sent) {
  const IoVectors kept = Slice(parts, sent, TotalBytes(parts) - sent);
  const size_t bytes = TotalBytes(kept);
  if (bytes == 0) return;
  rest_.resize(rest_.size() + bytes);
  Gather(kept, rest_.data() + rest_.size() - bytes);
  SetHasRest(true);
}

void StreamSocket::SetHasRest(bool has_rest) {
  if (has_rest_.exchange(has_rest, std::memory_order_acq_rel) == has_rest) return;  // Pairs with `has_rest`.
  // Whoever waits for something to receive flushes the rest as well.
  epoll_event event = {.events = has_rest ? EPOLLIN | EPOLLOUT : EPOLLIN, .data = {}};
  os::EpollCtl(epoll_.get(), EPOLL_CTL_MOD, socket().get(), &event);
}

absl::StatusOr<size_t> StreamSocket::ReceiveSome(absl::Span<iovec> into, PacketSlot& slot) {
  slot.parts = into;
  SLUICE_RETURN_IF_ERROR(internal::ReceiveSome(socket(), slot));
  if (slot.packet.kind == ReceivedPacket::Kind::kEnd) return PeerGone();
  if (slot.packet.bytes > 0) keep_alive().Heard();
  return slot.packet.bytes;
}

absl::StatusOr<std::optional<FrameHeader>> StreamSocket::ReadHeader() {
  while (header_bytes_ < header_.size()) {
    iovec into = {.iov_base = header_.data() + header_bytes_, .iov_len = header_.size() - header_bytes_};
    PacketSlot slot;
    SLUICE_ASSIGN_OR_RETURN(const size_t bytes, ReceiveSome(absl::MakeSpan(&into, 1), slot));
    if (bytes == 0) return std::nullopt;
    SLUICE_RETURN_IF_ERROR(slot.status);
    if (!slot.descriptors.empty()) {
      if (header_bytes_ > 0) return StrayDescriptors();
      header_descriptors_ = std::move(slot.descriptors);
    }
    header_bytes_ += bytes;
  }
  SLUICE_RETURN_IF_ERROR(header_status_);
  FrameHeader header;
  std::memcpy(&header, header_.data(), sizeof(header));
  SLUICE_RETURN_IF_ERROR(Validate(header, header_descriptors_.size(), max_message_bytes()));
  return header;
}

void StreamSocket::DropHeader() {
  header_bytes_ = 0;
  header_descriptors_.clear();
}

absl::StatusOr<std::optional<size_t>> StreamSocket::Receive(absl::Span<std::byte> buffer,
                                                            absl::Span<std::byte> overflow,
                                                            std::vector<Fd>* descriptors) {
  for (int i = 0; !incoming_.has_value() && i < kMaxNoticesAtOnce; ++i) {
    SLUICE_ASSIGN_OR_RETURN(const std::optional<FrameHeader> header, ReadHeader());
    if (!header.has_value()) return std::nullopt;
    if (header->type == FrameType::kMessage) {
      incoming_ = Incoming{.bytes = header->bytes, .descriptors = std::move(header_descriptors_)};
    }
    DropHeader();
    if (header->type == FrameType::kFinish) peer_has_finished_ = true;
    SLUICE_RETURN_IF_ERROR(EndOf(header->type));
  }
  if (!incoming_.has_value()) return TooManyNotices();

  const size_t bytes = incoming_->bytes;
  const size_t direct = std::min(buffer.size(), bytes);
  const std::array<iovec, 2> into = {
      {{.iov_base = buffer.data(), .iov_len = direct}, {.iov_base = overflow.data(), .iov_len = bytes - direct}}};
  SLUICE_ASSIGN_OR_RETURN(const bool complete, ReadBody(into));
  if (!complete) return std::nullopt;
  for (Fd& descriptor : incoming_->descriptors) descriptors->push_back(std::move(descriptor));
  incoming_.reset();
  return bytes;
}

absl::StatusOr<bool> StreamSocket::ReadBody(absl::Span<const iovec> into) {
  Incoming& message = *incoming_;
  const iovec saved = {.iov_base = saved_.get(), .iov_len = message.bytes};
  while (message.received < message.bytes) {
    const size_t missing = message.bytes - message.received;
    IoVectors vectors = Slice(message.is_saved ? absl::MakeConstSpan(&saved, 1) : into, message.received, missing);
    vectors.push_back({.iov_base = header_.data(), .iov_len = header_.size()});
    PacketSlot slot;
    SLUICE_ASSIGN_OR_RETURN(const size_t received, ReceiveSome(absl::MakeSpan(vectors), slot));
    if (received <= missing) {
      SLUICE_RETURN_IF_ERROR(slot.status);
      if (!slot.descriptors.empty()) return StrayDescriptors();
    }
    header_status_ = std::move(slot.status);
    header_descriptors_ = std::move(slot.descriptors);
    message.received += std::min(received, missing);
    header_bytes_ = received - std::min(received, missing);
    if (received > 0) continue;
    if (message.received > 0 && !message.is_saved) {
      if (saved_ == nullptr) saved_ = std::make_unique_for_overwrite<std::byte[]>(max_message_bytes());
      Gather(Slice(into, 0, message.received), saved_.get());
      message.is_saved = true;
    }
    return false;
  }
  if (message.is_saved) Scatter(saved_.get(), into);
  return true;
}

absl::Status StreamSocket::ReadNotices() {
  if (incoming_.has_value()) return absl::OkStatus();
  for (int i = 0; i < kMaxNoticesAtOnce; ++i) {
    // Only a keep-alive is taken off: who waits to receive would not learn of the rest.
    SLUICE_ASSIGN_OR_RETURN(const std::optional<FrameType> type, PeekType());
    if (!type.has_value()) return absl::OkStatus();
    if (peer_has_finished_) SLUICE_RETURN_IF_ERROR(AfterFinish(*type));
    if (*type == FrameType::kGoodbye) return EndOf(*type);
    if (*type != FrameType::kKeepAlive) return absl::OkStatus();
    SLUICE_RETURN_IF_ERROR(ReadHeader().status());
    DropHeader();
  }
  return TooManyNotices();
}

absl::StatusOr<std::optional<FrameType>> StreamSocket::PeekType() {
  std::array<std::byte, sizeof(FrameHeader)> peeked = header_;
  iovec rest = {.iov_base = peeked.data() + header_bytes_, .iov_len = peeked.size() - header_bytes_};
  if (rest.iov_len > 0) {
    msghdr message = {};
    message.msg_iov = &rest;
    message.msg_iovlen = 1;
    const ssize_t bytes = os::RecvMsg(socket().get(), &message, MSG_PEEK | MSG_DONTWAIT);
    if (bytes == 0) return PeerGone();
    if (bytes < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNRESET) {
      return FromErrno(errno, "look at what the peer sent");
    }
    if (bytes != static_cast<ssize_t>(rest.iov_len)) return std::nullopt;
  }
  FrameHeader header;
  std::memcpy(&header, peeked.data(), sizeof(header));
  return header.type;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
