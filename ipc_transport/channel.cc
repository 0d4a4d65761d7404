#include "ipc_transport/channel.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

absl::Status Invalid() {
  return absl::FailedPreconditionError("the channel holds no pipe: it was moved from, taken before, or never opened");
}

}  // namespace

size_t Channel::max_message_bytes() const { return valid() ? pipe_->max_message_bytes() : 0; }

size_t Channel::max_descriptors() const { return valid() ? pipe_->max_descriptors() : 0; }

void Channel::set_wait_mode(WaitMode mode) {
  if (valid()) pipe_->set_wait_mode(mode);
}

absl::StatusOr<bool> Channel::TrySend(Blob blob, absl::Span<const FdView> descriptors) {
  if (!valid()) return Invalid();
  return pipe_->TrySend(blob, descriptors);
}

absl::StatusOr<bool> Channel::TrySendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors) {
  if (!valid()) return Invalid();
  return pipe_->TrySendParts(parts, descriptors);
}

absl::StatusOr<size_t> Channel::TrySendBatch(absl::Span<const Blob> messages) {
  if (!valid()) return Invalid();
  return pipe_->TrySendBatch(messages);
}

absl::StatusOr<std::optional<absl::Span<std::byte>>> Channel::TryReserve(size_t bytes) {
  if (!valid()) return Invalid();
  return pipe_->TryReserve(bytes);
}

absl::StatusOr<bool> Channel::TryCommit(size_t bytes, absl::Span<const FdView> descriptors) {
  if (!valid()) return Invalid();
  return pipe_->TryCommit(bytes, descriptors);
}

absl::Status Channel::Send(Blob blob, absl::Span<const FdView> descriptors, Deadline deadline) {
  if (!valid()) return Invalid();
  return pipe_->Send(blob, descriptors, deadline);
}

absl::Status Channel::SendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors, Deadline deadline) {
  if (!valid()) return Invalid();
  return pipe_->SendParts(parts, descriptors, deadline);
}

absl::Status Channel::FinishSending() {
  if (!valid()) return Invalid();
  return pipe_->FinishSending();
}

absl::StatusOr<std::optional<size_t>> Channel::TryReceive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors) {
  if (!valid()) return Invalid();
  return pipe_->TryReceive(buffer, descriptors);
}

absl::StatusOr<size_t> Channel::TryReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                                std::vector<Fd>* descriptors) {
  if (!valid()) return Invalid();
  return pipe_->TryReceiveBatch(buffer, messages, descriptors);
}

absl::StatusOr<std::optional<Blob>> Channel::TryPeek(std::vector<Fd>* descriptors) {
  if (!valid()) return Invalid();
  return pipe_->TryPeek(descriptors);
}

absl::Status Channel::Release() {
  if (!valid()) return Invalid();
  return pipe_->Release();
}

absl::StatusOr<size_t> Channel::Receive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors, Deadline deadline) {
  if (!valid()) return Invalid();
  return pipe_->Receive(buffer, descriptors, deadline);
}

absl::Status Channel::WaitToSend(Deadline deadline) {
  if (!valid()) return Invalid();
  return pipe_->WaitToSend(deadline);
}

absl::Status Channel::WaitToReceive(Deadline deadline) {
  if (!valid()) return Invalid();
  return pipe_->WaitToReceive(deadline);
}

absl::StatusOr<Waitable> Channel::SendWaitable() {
  if (!valid()) return Invalid();
  return pipe_->SendWaitable();
}

absl::StatusOr<Waitable> Channel::ReceiveWaitable() {
  if (!valid()) return Invalid();
  return pipe_->ReceiveWaitable();
}

PipeCounters Channel::counters() const { return valid() ? pipe_->counters() : PipeCounters(); }

void Channel::Close() {
  if (valid()) pipe_->Close();
}

}  // namespace sluice_0
}  // namespace ipc
