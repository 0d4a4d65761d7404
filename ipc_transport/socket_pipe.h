// A pipe over a Unix SEQPACKET socket: needs no shared memory, costs a system call a message.

#ifndef SLUICE_IPC_TRANSPORT_SOCKET_PIPE_H_
#define SLUICE_IPC_TRANSPORT_SOCKET_PIPE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_transport/buffered_pipe.h"
#include "ipc_transport/internal/direction_stats.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {

struct SocketPipeOptions {
  // The largest message to send, and to receive: 1 B to 128 KiB. Both sides must give the same.
  size_t max_message_bytes = 64 * 1024;
};

// As `Pipe`. Descriptors: 16 a message. The peer's end is known by its socket alone: where a forked child keeps a copy
// of it, the peer's death is not seen.
class SocketPipe final : public BufferedPipe {
 public:
  // A connected pair, one end for each of two threads or processes.
  static absl::StatusOr<std::pair<std::unique_ptr<SocketPipe>, std::unique_ptr<SocketPipe>>> CreatePair(
      const SocketPipeOptions& options = {});

  // Takes a connected SEQPACKET socket over; the peer must do the same. INVALID_ARGUMENT: it is not one, or bad
  // options.
  static absl::StatusOr<std::unique_ptr<SocketPipe>> FromSocket(Fd socket, const SocketPipeOptions& options = {});

  // Connects to a `SocketListener` at `path`, and waits until `deadline` for room in its queue.
  // INVALID_ARGUMENT: bad options, or a path of more than 107 bytes. UNAVAILABLE (kNoServer): nobody listens there.
  // PERMISSION_DENIED: the modes of socket or folder do not let this process in. DEADLINE_EXCEEDED: the queue stayed
  // full.
  static absl::StatusOr<std::unique_ptr<SocketPipe>> Connect(absl::string_view path,
                                                             Deadline deadline = Deadline::Default(),
                                                             const SocketPipeOptions& options = {});

  // INVALID_ARGUMENT: options out of their range.
  static absl::Status Check(const SocketPipeOptions& options);

  ~SocketPipe() override;

  absl::StatusOr<Waitable> SendWaitable() override;
  absl::StatusOr<Waitable> ReceiveWaitable() override;

 private:
  SocketPipe(Fd socket, size_t max_message_bytes);

  absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                   absl::Span<const FdView> descriptors) override;
  absl::StatusOr<std::optional<size_t>> ReceiveMessage(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                       std::vector<Fd>* descriptors) override;
  absl::Status WaitForRoom(Deadline deadline) override;
  absl::Status WaitForMessage(Deadline deadline) override;
  absl::Status SendFinish() override;
  void Shut() override;

  // Nothing more can be received, because of `status`, which it returns.
  absl::Status End(absl::Status status);
  absl::Status WaitFor(short event, internal::Spinner& spinner, internal::DirectionStats& stats, Deadline deadline);

  const Fd socket_;

  // The sending thread's.
  bool refused_descriptors_ = false;  // What was last refused had some.
  internal::Spinner send_spinner_;

  // The receiving thread's.
  internal::Spinner receive_spinner_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_SOCKET_PIPE_H_
