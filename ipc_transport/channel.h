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
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {

// Move-only; owns its pipe. Threads and errors as in `Pipe`. Calls on a moved-from or default channel return
// FAILED_PRECONDITION.
class Channel {
 public:
  Channel() = default;
  explicit Channel(std::unique_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}

  bool valid() const { return pipe_ != nullptr; }

  // The limits of a message; 0 for an invalid channel.
  size_t max_message_bytes() const;
  size_t max_descriptors() const;
  void set_wait_mode(WaitMode mode);

  absl::StatusOr<bool> TrySend(Blob blob, absl::Span<const FdView> descriptors = {});
  absl::Status Send(Blob blob, absl::Span<const FdView> descriptors = {}, Deadline deadline = Deadline::Default());
  absl::StatusOr<std::optional<size_t>> TryReceive(absl::Span<std::byte> buffer,
                                                   std::vector<Fd>* descriptors = nullptr);
  absl::StatusOr<size_t> Receive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors = nullptr,
                                 Deadline deadline = Deadline::Default());
  absl::Status FinishSending();
  void Close();

  // The pipe itself, to be used directly or built upon; the channel is invalid afterwards.
  std::unique_ptr<Pipe> ReleasePipe() && { return std::move(pipe_); }

 private:
  std::unique_ptr<Pipe> pipe_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_CHANNEL_H_
