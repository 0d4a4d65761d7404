// What all pipes share whose messages pass through a buffer; derive from it to add a kind of your own.

#ifndef SLUICE_IPC_TRANSPORT_BUFFERED_PIPE_H_
#define SLUICE_IPC_TRANSPORT_BUFFERED_PIPE_H_

#include <atomic>
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

// Checks arguments and state, keeps what a user's buffer had no room for, and lends memory to `TryReserve` and
// `TryPeek`; the kind moves whole messages. Threads and errors as in `Pipe`. A kind's destructor calls `Close`.
//
//   class MyPipe final : public BufferedPipe {
//    public:
//     MyPipe() : BufferedPipe(kMaxMessageBytes, /*max_descriptors=*/0) {}
//     ~MyPipe() override { Close(); }
//    private:
//     ...SendMessage, WaitForRoom, ReceiveMessage, WaitForMessage, SendFinish and Shut...
//   };
class BufferedPipe : public Pipe {
 public:
  ~BufferedPipe() override;

  size_t max_message_bytes() const final { return max_message_bytes_; }
  size_t max_descriptors() const final { return max_descriptors_; }
  absl::StatusOr<bool> TrySendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors) final;
  absl::StatusOr<size_t> TrySendBatch(absl::Span<const Blob> messages) final;
  absl::StatusOr<std::optional<absl::Span<std::byte>>> TryReserve(size_t bytes) final;
  absl::StatusOr<bool> TryCommit(size_t bytes, absl::Span<const FdView> descriptors = {}) final;
  absl::Status FinishSending() final;
  absl::StatusOr<std::optional<size_t>> TryReceive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors) final;
  absl::StatusOr<size_t> TryReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                         std::vector<Fd>* descriptors) final;
  absl::StatusOr<std::optional<Blob>> TryPeek(std::vector<Fd>* descriptors) final;
  absl::Status Release() final;
  absl::Status WaitToSend(Deadline deadline) final;
  absl::Status WaitToReceive(Deadline deadline) final;
  // FAILED_PRECONDITION, unless the kind has better.
  absl::StatusOr<Waitable> SendWaitable() override;
  absl::StatusOr<Waitable> ReceiveWaitable() override;
  void Close() final;

 protected:
  BufferedPipe(size_t max_message_bytes, size_t max_descriptors);

  // For the kind to define; called with arguments within the limits, while the pipe is open.

  // Sends one message of `bytes` bytes, without waiting; false: no room.
  virtual absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                           absl::Span<const FdView> descriptors) = 0;

  // As many of `messages` as have room, as `Pipe::TrySendBatch`. The default: one by one.
  virtual absl::StatusOr<size_t> SendMessages(absl::Span<const Blob> messages);

  // The next message, without waiting: its first bytes into `buffer`, the rest into `overflow`, which has room for all
  // that is beyond `buffer`. Its size; nullopt: there is none. An error is final: this is not called again.
  virtual absl::StatusOr<std::optional<size_t>> ReceiveMessage(absl::Span<std::byte> buffer,
                                                               absl::Span<std::byte> overflow,
                                                               std::vector<Fd>* descriptors) = 0;

  // As many as come, each into a part of `buffer`, which has room for at least one of `max_message_bytes()`; as
  // `Pipe::TryReceiveBatch`. After an error that follows messages, `EndReceiving`. The default: one by one, while there
  // is such room.
  virtual absl::StatusOr<size_t> ReceiveMessages(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                                 std::vector<Fd>* descriptors);

  // As `Pipe::WaitToSend` and `Pipe::WaitToReceive`.
  virtual absl::Status WaitForRoom(Deadline deadline) = 0;
  virtual absl::Status WaitForMessage(Deadline deadline) = 0;

  // Tells the peer that no message follows; as `Pipe::FinishSending`, at most once successfully.
  virtual absl::Status SendFinish() = 0;

  // Says goodbye and wakes whoever waits here, without waiting. Called once, by any thread; not in a forked child.
  virtual void Shut() = 0;

  // For the kind's use.
  bool is_closed() const { return closed_.load(std::memory_order_acquire); }  // Pairs with `Close`.
  // What the next receiving call and all later ones return.
  void EndReceiving(absl::Status status) { receive_end_ = std::move(status); }

 private:
  // Whether a receiving call has an answer without asking the kind.
  bool HasPending() const { return pending_.has_value() || !receive_end_.ok(); }
  absl::Status CheckSending() const;
  absl::Status CheckOpen() const;
  // From `overflow_` to the user.
  absl::StatusOr<std::optional<size_t>> DeliverPending(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors);

  // A message in `overflow_` that the user has not taken.
  struct Pending {
    size_t bytes;
    std::vector<Fd> descriptors;
    bool peeked = false;
  };

  const size_t max_message_bytes_;
  const size_t max_descriptors_;
  // Set by `Close`, which any thread may call: exchange there, acquire in the other calls.
  std::atomic<bool> closed_{false};

  // The sending thread's.
  bool finished_ = false;
  std::unique_ptr<std::byte[]> reserved_;  // Made by the first `TryReserve`.
  std::optional<size_t> reserved_bytes_;

  // The receiving thread's.
  const std::unique_ptr<std::byte[]> overflow_;  // Of `max_message_bytes_`.
  std::optional<Pending> pending_;
  absl::Status receive_end_;  // Why nothing more can be received.
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_BUFFERED_PIPE_H_
