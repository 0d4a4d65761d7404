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

absl::Status Channel::Send(Blob blob, absl::Span<const FdView> descriptors, Deadline deadline) {
  if (!valid()) return Invalid();
  return pipe_->Send(blob, descriptors, deadline);
}

absl::StatusOr<std::optional<size_t>> Channel::TryReceive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors) {
  if (!valid()) return Invalid();
  return pipe_->TryReceive(buffer, descriptors);
}

absl::StatusOr<size_t> Channel::Receive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors, Deadline deadline) {
  if (!valid()) return Invalid();
  return pipe_->Receive(buffer, descriptors, deadline);
}

absl::Status Channel::FinishSending() {
  if (!valid()) return Invalid();
  return pipe_->FinishSending();
}

void Channel::Close() {
  if (valid()) pipe_->Close();
}

}  // namespace sluice_0
}  // namespace ipc
