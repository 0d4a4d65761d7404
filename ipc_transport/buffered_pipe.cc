#include "ipc_transport/buffered_pipe.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

void Append(std::vector<Fd> from, std::vector<Fd>* to) {
  if (to != nullptr) std::move(from.begin(), from.end(), std::back_inserter(*to));
}

absl::Status NoWaitable() {
  return absl::FailedPreconditionError("this kind of pipe has no descriptor for an event loop; use its waiting calls");
}

}  // namespace

BufferedPipe::BufferedPipe(size_t max_message_bytes, size_t max_descriptors)
    : max_message_bytes_(max_message_bytes),
      max_descriptors_(max_descriptors),
      overflow_(std::make_unique_for_overwrite<std::byte[]>(max_message_bytes)) {}

BufferedPipe::~BufferedPipe() = default;

absl::Status BufferedPipe::CheckSending() const {
  SLUICE_RETURN_IF_ERROR(CheckOpen());
  return finished_ ? internal::FinishedHere() : absl::OkStatus();
}

absl::Status BufferedPipe::CheckOpen() const {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  return is_closed() ? internal::ClosedHere() : absl::OkStatus();
}

absl::StatusOr<bool> BufferedPipe::TrySendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors) {
  const size_t bytes = internal::TotalBytes(parts);
  SLUICE_RETURN_IF_ERROR(internal::CheckMessageLimits(bytes, max_message_bytes_, descriptors.size(), max_descriptors_));
  SLUICE_RETURN_IF_ERROR(CheckSending());
  reserved_bytes_.reset();
  const absl::StatusOr<bool> sent = SendMessage(parts, bytes, descriptors);
  if (sent.ok() && *sent) {
    send_stats().CountMessage(bytes);
  } else if (sent.ok()) {
    send_stats().CountRefusal();
  }
  return sent;
}

absl::StatusOr<size_t> BufferedPipe::TrySendBatch(absl::Span<const Blob> messages) {
  SLUICE_ASSIGN_OR_RETURN(messages, internal::WithinLimit(messages, max_message_bytes_));
  SLUICE_RETURN_IF_ERROR(CheckSending());
  reserved_bytes_.reset();
  SLUICE_ASSIGN_OR_RETURN(const size_t sent, SendMessages(messages));
  for (const Blob& message : messages.subspan(0, sent)) send_stats().CountMessage(message.size());
  if (sent < messages.size()) send_stats().CountRefusal();
  return sent;
}

absl::StatusOr<size_t> BufferedPipe::SendMessages(absl::Span<const Blob> messages) {
  for (size_t sent = 0; sent < messages.size(); ++sent) {
    const absl::StatusOr<bool> went = SendMessage(messages.subspan(sent, 1), messages[sent].size(), {});
    if (!went.ok() && sent == 0) return went.status();
    if (!went.ok() || !*went) return sent;
  }
  return messages.size();
}

absl::StatusOr<std::optional<absl::Span<std::byte>>> BufferedPipe::TryReserve(size_t bytes) {
  SLUICE_RETURN_IF_ERROR(internal::CheckMessageLimits(bytes, max_message_bytes_, 0, max_descriptors_));
  SLUICE_RETURN_IF_ERROR(CheckSending());
  if (reserved_ == nullptr) reserved_ = std::make_unique_for_overwrite<std::byte[]>(max_message_bytes_);
  reserved_bytes_ = bytes;
  return absl::MakeSpan(reserved_.get(), bytes);
}

absl::StatusOr<bool> BufferedPipe::TryCommit(size_t bytes, absl::Span<const FdView> descriptors) {
  SLUICE_RETURN_IF_ERROR(CheckSending());
  SLUICE_RETURN_IF_ERROR(internal::CheckReservation(bytes, reserved_bytes_));
  const std::optional<size_t> reserved = reserved_bytes_;
  const Blob message = absl::MakeConstSpan(reserved_.get(), bytes);
  const absl::StatusOr<bool> sent = TrySendParts(absl::MakeConstSpan(&message, 1), descriptors);
  if (!sent.ok() || !*sent) reserved_bytes_ = reserved;
  return sent;
}

absl::Status BufferedPipe::FinishSending() {
  SLUICE_RETURN_IF_ERROR(CheckOpen());
  if (finished_) return absl::OkStatus();
  SLUICE_RETURN_IF_ERROR(SendFinish());
  finished_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<size_t>> BufferedPipe::TryReceive(absl::Span<std::byte> buffer,
                                                               std::vector<Fd>* descriptors) {
  SLUICE_RETURN_IF_ERROR(CheckOpen());
  if (pending_.has_value()) return DeliverPending(buffer, descriptors);
  if (!receive_end_.ok()) return receive_end_;

  const size_t direct = std::min(buffer.size(), max_message_bytes_);
  std::vector<Fd> received;
  const absl::StatusOr<std::optional<size_t>> bytes = ReceiveMessage(
      buffer.subspan(0, direct), absl::MakeSpan(overflow_.get(), max_message_bytes_ - direct), &received);
  if (!bytes.ok()) return receive_end_ = bytes.status();
  if (!bytes->has_value()) {
    receive_stats().CountRefusal();
    return std::nullopt;
  }
  if (**bytes > direct) {
    std::memmove(overflow_.get() + direct, overflow_.get(), **bytes - direct);
    std::copy_n(buffer.data(), direct, overflow_.get());
    pending_ = Pending{.bytes = **bytes, .descriptors = std::move(received)};
    return DeliverPending(buffer, descriptors);
  }
  Append(std::move(received), descriptors);
  receive_stats().CountMessage(**bytes);
  return bytes;
}

absl::StatusOr<std::optional<size_t>> BufferedPipe::DeliverPending(absl::Span<std::byte> buffer,
                                                                   std::vector<Fd>* descriptors) {
  const size_t bytes = pending_->bytes;
  if (bytes > buffer.size()) return internal::BufferTooSmall(bytes, buffer.size());
  std::copy_n(overflow_.get(), bytes, buffer.data());
  Append(std::move(pending_->descriptors), descriptors);
  pending_.reset();
  receive_stats().CountMessage(bytes);
  return bytes;
}

absl::StatusOr<size_t> BufferedPipe::TryReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                                     std::vector<Fd>* descriptors) {
  // Without room for the largest message each is looked at by itself.
  if (HasPending() || buffer.size() < max_message_bytes_ || messages.empty()) {
    return Pipe::TryReceiveBatch(buffer, messages, descriptors);
  }
  SLUICE_RETURN_IF_ERROR(CheckOpen());
  const absl::StatusOr<size_t> received = ReceiveMessages(buffer, messages, descriptors);
  if (!received.ok()) return receive_end_ = received.status();
  for (const ReceivedMessage& message : messages.subspan(0, *received)) {
    receive_stats().CountMessage(message.bytes.size());
  }
  if (*received == 0) receive_stats().CountRefusal();
  return received;
}

absl::StatusOr<size_t> BufferedPipe::ReceiveMessages(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                                     std::vector<Fd>* descriptors) {
  size_t received = 0;
  while (received < messages.size() && buffer.size() >= max_message_bytes_) {
    std::vector<Fd> own;
    const absl::StatusOr<std::optional<size_t>> bytes = ReceiveMessage(buffer, {}, &own);
    if (!bytes.ok() && received == 0) return bytes.status();
    if (!bytes.ok()) {
      EndReceiving(bytes.status());
      break;
    }
    if (!bytes->has_value()) break;
    messages[received++] = {.bytes = buffer.subspan(0, **bytes),
                            .descriptors = descriptors == nullptr ? 0 : own.size()};
    Append(std::move(own), descriptors);
    buffer.remove_prefix(**bytes);
  }
  return received;
}

absl::StatusOr<std::optional<Blob>> BufferedPipe::TryPeek(std::vector<Fd>* descriptors) {
  SLUICE_RETURN_IF_ERROR(CheckOpen());
  if (!pending_.has_value()) {
    if (!receive_end_.ok()) return receive_end_;
    std::vector<Fd> received;
    const absl::StatusOr<std::optional<size_t>> bytes =
        ReceiveMessage({}, absl::MakeSpan(overflow_.get(), max_message_bytes_), &received);
    if (!bytes.ok()) return receive_end_ = bytes.status();
    if (!bytes->has_value()) {
      receive_stats().CountRefusal();
      return std::nullopt;
    }
    pending_ = Pending{.bytes = **bytes, .descriptors = std::move(received)};
  }
  pending_->peeked = true;
  Append(std::exchange(pending_->descriptors, {}), descriptors);
  return absl::MakeConstSpan(overflow_.get(), pending_->bytes);
}

absl::Status BufferedPipe::Release() {
  SLUICE_RETURN_IF_ERROR(CheckOpen());
  if (!pending_.has_value() || !pending_->peeked) return internal::NothingPeeked();
  receive_stats().CountMessage(pending_->bytes);
  pending_.reset();
  return absl::OkStatus();
}

absl::Status BufferedPipe::WaitToSend(Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  return WaitForRoom(deadline);
}

absl::Status BufferedPipe::WaitToReceive(Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  return HasPending() ? absl::OkStatus() : WaitForMessage(deadline);
}

absl::StatusOr<Waitable> BufferedPipe::SendWaitable() { return NoWaitable(); }

absl::StatusOr<Waitable> BufferedPipe::ReceiveWaitable() { return NoWaitable(); }

void BufferedPipe::Close() {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;  // Pairs with `is_closed`.
  if (!fork_guard().InForkedChild()) Shut();
}

}  // namespace sluice_0
}  // namespace ipc
