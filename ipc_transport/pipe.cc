#include "ipc_transport/pipe.h"

#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {

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
