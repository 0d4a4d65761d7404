#include "ipc_transport/pipe.h"

#include <poll.h>
#include <time.h>

#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {

absl::StatusOr<std::optional<Waitable>> Pipe::LoopWaitable() { return ReceiveWaitable(); }

bool Pipe::ArmReceiving() {
  const absl::StatusOr<Waitable> waitable = ReceiveWaitable();
  if (!waitable.ok()) return true;  // The receiving call tells why.
  pollfd poll = {.fd = waitable->fd.get(), .events = waitable->events, .revents = 0};
  constexpr timespec kAtOnce = {};
  return internal::os::Poll(&poll, 1, &kAtOnce) != 0;
}

PipeCounters Pipe::counters() const {
  return {.sent = send_stats_.Read(),
          .received = receive_stats_.Read(),
          .unread_bytes = fork_guard_.InForkedChild() ? 0 : UnreadBytes()};
}

absl::StatusOr<size_t> Pipe::TrySendBatch(absl::Span<const Blob> messages) {
  for (size_t sent = 0; sent < messages.size(); ++sent) {
    const absl::StatusOr<bool> went = TrySend(messages[sent]);
    if (!went.ok() && sent == 0) return went.status();
    if (!went.ok() || !*went) return sent;
  }
  return messages.size();
}

absl::StatusOr<size_t> Pipe::TryReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                             std::vector<Fd>* descriptors) {
  for (size_t received = 0; received < messages.size(); ++received) {
    const size_t descriptors_before = descriptors == nullptr ? 0 : descriptors->size();
    const absl::StatusOr<std::optional<size_t>> bytes = TryReceive(buffer, descriptors);
    if (!bytes.ok() && received == 0) return bytes.status();
    if (!bytes.ok() || !bytes->has_value()) return received;
    messages[received] = {.bytes = buffer.subspan(0, **bytes),
                          .descriptors = descriptors == nullptr ? 0 : descriptors->size() - descriptors_before};
    buffer.remove_prefix(**bytes);
  }
  return messages.size();
}

absl::StatusOr<bool> Pipe::TrySend(Blob blob, absl::Span<const FdView> descriptors) {
  return TrySendParts(absl::MakeConstSpan(&blob, 1), descriptors);
}

absl::Status Pipe::Send(Blob blob, absl::Span<const FdView> descriptors, Deadline deadline) {
  return SendParts(absl::MakeConstSpan(&blob, 1), descriptors, deadline);
}

absl::Status Pipe::SendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors, Deadline deadline) {
  while (true) {
    const absl::StatusOr<bool> sent = TrySendParts(parts, descriptors);
    if (!sent.ok()) return sent.status();
    if (*sent) return absl::OkStatus();
    SLUICE_RETURN_IF_ERROR(WaitToSend(deadline));
  }
}

absl::StatusOr<size_t> Pipe::Receive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors, Deadline deadline) {
  while (true) {
    const absl::StatusOr<std::optional<size_t>> received = TryReceive(buffer, descriptors);
    if (!received.ok()) return received.status();
    if (received->has_value()) return **received;
    SLUICE_RETURN_IF_ERROR(WaitToReceive(deadline));
  }
}

}  // namespace sluice_0
}  // namespace ipc
