// A pipe over shared memory: no system call while both sides run, and no copy by the kernel ever.

#ifndef SLUICE_IPC_TRANSPORT_RING_PIPE_H_
#define SLUICE_IPC_TRANSPORT_RING_PIPE_H_

#include <cstddef>
#include <cstdint>
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

namespace internal {
struct RingParts;
class LinkEvents;
}  // namespace internal

struct RingPipeOptions {
  // Bytes of records on their way from this side: a power of two from 4 KiB to 1 GiB. Memory is taken as it is first
  // used. A message may be a quarter of it.
  size_t ring_bytes = 256 * 1024;
};

// As `Pipe`. Descriptors: 16 a message. Waits by spinning first (see WaitMode), then in one ppoll(2) that also sees the
// peer's death.
class RingPipe final : public Pipe {
 public:
  // A connected pair in one process, for two threads.
  static absl::StatusOr<std::pair<std::unique_ptr<RingPipe>, std::unique_ptr<RingPipe>>> CreatePair(
      const RingPipeOptions& options = {});

  // Exchanges rings with the peer over a connected SEQPACKET socket, which the pipe keeps; the peer must do the same.
  // Where it was connected by a path the peer's process is watched too; of a socketpair(2) only the end of the socket
  // tells, which a copy of the descriptor in another process delays.
  // INVALID_ARGUMENT: no such socket, or bad options. FAILED_PRECONDITION: no common version. DATA_LOSS: the peer
  // speaks something else. DEADLINE_EXCEEDED: the peer did not answer in time.
  static absl::StatusOr<std::unique_ptr<RingPipe>> FromSocket(Fd socket, const RingPipeOptions& options = {},
                                                              Deadline deadline = Deadline::Default());

  // For sessions: a pipe over lanes and a link that it shares.
  static std::unique_ptr<RingPipe> FromParts(internal::RingParts parts);

  ~RingPipe() override;

  size_t max_message_bytes() const override;
  size_t max_descriptors() const override;
  absl::StatusOr<bool> TrySendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors) override;
  absl::StatusOr<size_t> TrySendBatch(absl::Span<const Blob> messages) override;
  absl::StatusOr<std::optional<absl::Span<std::byte>>> TryReserve(size_t bytes) override;
  absl::StatusOr<bool> TryCommit(size_t bytes, absl::Span<const FdView> descriptors = {}) override;
  absl::Status FinishSending() override;
  absl::StatusOr<std::optional<size_t>> TryReceive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors) override;
  absl::StatusOr<size_t> TryReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                         std::vector<Fd>* descriptors) override;
  absl::StatusOr<std::optional<Blob>> TryPeek(std::vector<Fd>* descriptors) override;
  absl::Status Release() override;
  absl::Status WaitToSend(Deadline deadline) override;
  absl::Status WaitToReceive(Deadline deadline) override;
  absl::StatusOr<Waitable> SendWaitable() override;
  absl::StatusOr<Waitable> ReceiveWaitable() override;
  absl::StatusOr<std::optional<Waitable>> LoopWaitable() override;
  bool ArmReceiving() override;
  void Close() override;

 private:
  struct State;

  explicit RingPipe(std::unique_ptr<State> state);

  absl::Status EndStatus() const;
  bool HasEnded() const;
  absl::Status CheckSending() const;
  // `attempt()`, again while room comes for what was refused (false, 0 or nullopt).
  template <typename Attempt>
  auto SendBy(Attempt attempt) -> decltype(attempt());
  bool RoomCameMeanwhile();
  // `attempt()`, again while messages come after it found none (nullopt).
  template <typename Attempt>
  auto ReceiveBy(Attempt attempt) -> decltype(attempt());
  bool MessageCameMeanwhile();
  absl::StatusOr<FdView> EventsOf(std::unique_ptr<internal::LinkEvents>& events);
  uint64_t UnreadBytes() const override;

  const std::unique_ptr<State> state_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_RING_PIPE_H_
