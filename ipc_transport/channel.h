// A channel: what a session hands out, and what a typed channel is built on. A movable handle of one pipe.

#ifndef SLUICE_IPC_TRANSPORT_CHANNEL_H_
#define SLUICE_IPC_TRANSPORT_CHANNEL_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/counters.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {

// Move-only; owns its pipe, which its session watches. Threads and errors as in `Pipe`. Calls on a moved-from or
// default channel return FAILED_PRECONDITION.
class Channel {
 public:
  Channel() = default;
  explicit Channel(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}
  Channel(Channel&&) noexcept = default;
  Channel& operator=(Channel&&) noexcept = default;

  bool valid() const { return pipe_ != nullptr; }

  // The limits of a message; 0 for an invalid channel.
  size_t max_message_bytes() const;
  size_t max_descriptors() const;
  void set_wait_mode(WaitMode mode);

  absl::StatusOr<bool> TrySend(Blob blob, absl::Span<const FdView> descriptors = {});
  absl::StatusOr<bool> TrySendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors = {});
  absl::StatusOr<size_t> TrySendBatch(absl::Span<const Blob> messages);
  absl::StatusOr<std::optional<absl::Span<std::byte>>> TryReserve(size_t bytes);
  absl::StatusOr<bool> TryCommit(size_t bytes, absl::Span<const FdView> descriptors = {});
  absl::Status Send(Blob blob, absl::Span<const FdView> descriptors = {}, Deadline deadline = Deadline::Default());
  absl::Status SendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors = {},
                         Deadline deadline = Deadline::Default());
  absl::Status FinishSending();

  absl::StatusOr<std::optional<size_t>> TryReceive(absl::Span<std::byte> buffer,
                                                   std::vector<Fd>* descriptors = nullptr);
  absl::StatusOr<size_t> TryReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                         std::vector<Fd>* descriptors = nullptr);
  absl::StatusOr<std::optional<Blob>> TryPeek(std::vector<Fd>* descriptors = nullptr);
  absl::Status Release();
  absl::StatusOr<size_t> Receive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors = nullptr,
                                 Deadline deadline = Deadline::Default());

  absl::Status WaitToSend(Deadline deadline = Deadline::Default());
  absl::Status WaitToReceive(Deadline deadline = Deadline::Default());
  absl::StatusOr<Waitable> SendWaitable();
  absl::StatusOr<Waitable> ReceiveWaitable();

  // All zero for an invalid channel.
  PipeCounters counters() const;
  void Close();

  // For sessions.
  std::weak_ptr<Pipe> pipe() const { return pipe_; }

  // The pipe itself, to be used directly or built upon; the channel is invalid afterwards.
  std::shared_ptr<Pipe> ReleasePipe() && { return std::move(pipe_); }

 private:
  std::shared_ptr<Pipe> pipe_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_CHANNEL_H_
