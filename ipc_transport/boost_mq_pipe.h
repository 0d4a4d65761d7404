// A pipe over two message queues of Boost.Interprocess, for those who need that kind; RingPipe is quicker and safer.

#ifndef SLUICE_IPC_TRANSPORT_BOOST_MQ_PIPE_H_
#define SLUICE_IPC_TRANSPORT_BOOST_MQ_PIPE_H_

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
class BoostQueue;
}  // namespace internal

// Of the queue that this side fills.
struct BoostMqPipeOptions {
  // 1 B to 1 MiB. What the pipe carries is the lesser of both sides'.
  size_t max_message_bytes = 8176;
  // Messages on their way, 1 to 1024.
  size_t depth = 16;
};

// As `Pipe`, between cooperating processes of one user only. Descriptors: 16 a message. Hazards, which no other pipe of
// Sluice has:
// - Both sides write the memory of both queues, so a peer that means harm, or that has gone astray, can break this
//   process.
// - Each message takes a lock that both processes share. A peer that is stopped inside it delays even Try calls. After
//   three seconds, or when it was killed there, calls answer UNAVAILABLE, and the pipe is of no more use.
// - The queues have names in /dev/shm until both sides have opened them; those of a maker that was killed meanwhile are
//   removed by the next one.
// - A full /dev/shm may end this process with SIGBUS.
// - The lock's time limit is Boost's BOOST_INTERPROCESS_ENABLE_TIMEOUT_WHEN_LOCKING, an inline function: a program that
//   uses interprocess_mutex elsewhere defines it there too, or the linker may choose the one that waits for ever.
class BoostMqPipe final : public BufferedPipe {
 public:
  // A connected pair in one process, for two threads. Errors as `FromSocket`.
  static absl::StatusOr<std::pair<std::unique_ptr<BoostMqPipe>, std::unique_ptr<BoostMqPipe>>> CreatePair(
      const BoostMqPipeOptions& options = {});

  // Exchanges the names of queues with the peer over a connected SEQPACKET socket, which the pipe keeps; the peer must
  // do the same. INVALID_ARGUMENT: no such socket, or bad options. FAILED_PRECONDITION: no common version. DATA_LOSS:
  // the peer speaks something else. UNAVAILABLE: it has gone. PERMISSION_DENIED: it is of another user.
  // RESOURCE_EXHAUSTED: no memory or descriptor. DEADLINE_EXCEEDED: the peer did not answer in time.
  static absl::StatusOr<std::unique_ptr<BoostMqPipe>> FromSocket(Fd socket, const BoostMqPipeOptions& options = {},
                                                                 Deadline deadline = Deadline::Default());

  ~BoostMqPipe() override;

  absl::StatusOr<Waitable> SendWaitable() override;
  absl::StatusOr<Waitable> ReceiveWaitable() override;

 private:
  struct State;

  explicit BoostMqPipe(std::unique_ptr<State> state);
  static absl::StatusOr<std::unique_ptr<BoostMqPipe>> FromQueues(Fd socket, std::shared_ptr<internal::BoostQueue> out,
                                                                 std::shared_ptr<internal::BoostQueue> in);

  absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                   absl::Span<const FdView> descriptors) override;
  absl::StatusOr<std::optional<size_t>> ReceiveMessage(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                       std::vector<Fd>* descriptors) override;
  absl::Status WaitForRoom(Deadline deadline) override;
  absl::Status WaitForMessage(Deadline deadline) override;
  absl::Status SendFinish() override;
  void Shut() override;

  const std::unique_ptr<State> state_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_BOOST_MQ_PIPE_H_
