// A pipe over two POSIX message queues: each message is the kernel's, so neither side maps memory of the other.

#ifndef SLUICE_IPC_TRANSPORT_MQ_PIPE_H_
#define SLUICE_IPC_TRANSPORT_MQ_PIPE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/buffered_pipe.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {

namespace internal {
class MqHandshake;
struct MqParts;
}  // namespace internal

// Of the queue that this side fills. The defaults fit into the limits that Linux has unless it is told otherwise: 8192
// bytes (fs.mqueue.msgsize_max), 10 messages (msg_max), and 819200 bytes in all queues of a user (RLIMIT_MSGQUEUE),
// which are nine such pipes with both ends of one user.
struct MqPipeOptions {
  // 1 B to 16 MiB - 16 B. The queue's messages are 16 bytes larger. What the pipe carries is the lesser of both sides'.
  size_t max_message_bytes = 8176;
  // Messages on their way, 1 to 65535. The queue has room for one more, the notice of `FinishSending`.
  size_t depth = 4;
};

// As `Pipe`. Descriptors: 16 a message. Costs a system call a message, and waits in one ppoll(2) that also sees the
// peer's death. The queues have names only while they are made; those of a maker that was killed meanwhile are removed
// by the next one where /dev/mqueue is mounted.
class MqPipe final : public BufferedPipe {
 public:
  // A connected pair in one process, for two threads. Errors as `FromSocket`.
  static absl::StatusOr<std::pair<std::unique_ptr<MqPipe>, std::unique_ptr<MqPipe>>> CreatePair(
      const MqPipeOptions& options = {});

  // Exchanges queues with the peer over a connected SEQPACKET socket, which the pipe keeps for descriptors and for the
  // notice of the peer's end; the peer must do the same. Where it was connected by a path the peer's process is watched
  // too; of a socketpair(2) only the end of the socket tells, which a copy of the descriptor in another process delays.
  // INVALID_ARGUMENT: no such socket, or bad options. RESOURCE_EXHAUSTED: a limit on message queues or descriptors; the
  // text names it, its value, and what to raise. FAILED_PRECONDITION: no common version, or a kernel without message
  // queues. DATA_LOSS: the peer speaks something else. UNAVAILABLE: the peer has gone, or somebody removed the queue's
  // name while it was made. DEADLINE_EXCEEDED: the peer did not answer in time.
  static absl::StatusOr<std::unique_ptr<MqPipe>> FromSocket(Fd socket, const MqPipeOptions& options = {},
                                                            Deadline deadline = Deadline::Default());

  // For sessions: a handshake, and the pipe that it makes. Errors as `FromSocket`.
  static absl::StatusOr<internal::MqHandshake> BeginHandshake(Fd socket, const MqPipeOptions& options);
  static absl::StatusOr<std::unique_ptr<MqPipe>> FromParts(internal::MqParts parts);

  // INVALID_ARGUMENT: options out of their range.
  static absl::Status Check(const MqPipeOptions& options);

  ~MqPipe() override;

  absl::StatusOr<Waitable> SendWaitable() override;
  absl::StatusOr<Waitable> ReceiveWaitable() override;

 private:
  struct State;

  MqPipe(std::unique_ptr<State> state, size_t max_message_bytes);

  absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                   absl::Span<const FdView> descriptors) override;
  absl::StatusOr<std::optional<size_t>> ReceiveMessage(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                       std::vector<Fd>* descriptors) override;
  absl::Status WaitForRoom(Deadline deadline) override;
  absl::Status WaitForMessage(Deadline deadline) override;
  absl::Status SendFinish() override;
  void Shut() override;

  bool RoomCameMeanwhile();

  const std::unique_ptr<State> state_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_MQ_PIPE_H_
