// A pipe: messages with boundaries, in order, between two processes, both ways.

#ifndef SLUICE_IPC_TRANSPORT_PIPE_H_
#define SLUICE_IPC_TRANSPORT_PIPE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/counters.h"
#include "ipc_transport/internal/direction_stats.h"
#include "ipc_transport/internal/peer_end.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/fork_guard.h"

namespace ipc {
inline namespace sluice_0 {

// The bytes of a message; borrowed for the call.
using Blob = absl::Span<const std::byte>;

// How a blocked call passes its time.
enum class WaitMode {
  kAdaptive,  // Spins for a bounded time that adapts to what it won, then sleeps.
  kSpin,      // Never sleeps: one core is the price of the shortest answer.
  kSleep,     // Never spins.
};

// One message of a batch.
struct ReceivedMessage {
  absl::Span<std::byte> bytes;  // A part of the buffer that was given.
  size_t descriptors = 0;       // How many of the appended descriptors are its own, in the messages' order.
};

// What an event loop watches: `fd` for `events`, one of POLLIN and POLLOUT. The pipe owns the descriptor.
struct Waitable {
  FdView fd;
  short events = 0;
};

// One end. Made by its kind (SocketPipe, RingPipe) or taken from a session; destroying it closes it. To add a kind,
// derive from BufferedPipe.
// Threads: one sender and one receiver at a time; `Close` and `counters` from any.
//
//   absl::Status sent = pipe.Send(blob);                                    // Waits for room, 30 s at most.
//   absl::StatusOr<size_t> bytes = pipe.Receive(absl::MakeSpan(buffer));    // Waits for a message.
//
// Errors that every call may return: CANCELLED, this end is closed; UNAVAILABLE, the peer has closed its end, is dead
// or silent (`ReasonOf` tells); DATA_LOSS, the peer broke the protocol, and the pipe is of no more use. What the peer
// sent before it went is received first; FAILED_PRECONDITION, this is a forked child's copy of the pipe, and harms it
// in no way. All Try calls return at once.
class Pipe {
 public:
  virtual ~Pipe() = default;

  // The largest message, in bytes; agreed with the peer when the pipe was made.
  virtual size_t max_message_bytes() const = 0;

  // The most descriptors that one message carries.
  virtual size_t max_descriptors() const = 0;

  // Sending.

  // Sends the concatenation of `parts` as one message, with duplicates of `descriptors`; parts and descriptors are the
  // caller's again on return. False: no room now, nothing was sent.
  // INVALID_ARGUMENT: more bytes or descriptors than the limits, or a descriptor that is not open; nothing was sent.
  // FAILED_PRECONDITION: after `FinishSending`.
  virtual absl::StatusOr<bool> TrySendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors) = 0;

  // Sends `messages`, each as one, at the price of one system call or wake-up where the kind allows that. Returns how
  // many went, the first of them first; fewer than all: no room now for the next. Errors as `TrySendParts`, where
  // nothing was sent; an error of a later message comes with the call that starts with it.
  virtual absl::StatusOr<size_t> TrySendBatch(absl::Span<const Blob> messages);

  // Room for a message of up to `bytes`, to be written where the peer will read it (a ring) or where it is sent from.
  // nullopt: none now. The room is the caller's until `TryCommit` has sent it, or until another sending call or
  // `TryReserve`, which give it up. INVALID_ARGUMENT, FAILED_PRECONDITION: as `TrySendParts`.
  virtual absl::StatusOr<std::optional<absl::Span<std::byte>>> TryReserve(size_t bytes) = 0;

  // Sends the first `bytes` of the room. False: there is no way for it now, try again; the room is still there.
  // INVALID_ARGUMENT: more than was reserved, or as `TrySendParts`. FAILED_PRECONDITION: nothing is reserved.
  virtual absl::StatusOr<bool> TryCommit(size_t bytes, absl::Span<const FdView> descriptors = {}) = 0;

  // Tells the peer that no more follows; it receives everything, then OUT_OF_RANGE. Receiving here goes on. Never
  // waits. RESOURCE_EXHAUSTED: this system gives sockets too little memory for the notice; the text says what to raise.
  virtual absl::Status FinishSending() = 0;

  // Receiving.

  // Puts the next message into `buffer` and returns its size; nullopt: there is none now. Its descriptors are
  // appended to `*descriptors`, or closed where that is null.
  // INVALID_ARGUMENT: the message is larger than `buffer`; it stays the next one.
  // OUT_OF_RANGE: the peer has finished sending, and everything was received.
  // RESOURCE_EXHAUSTED: this process has no room for the descriptors (raise RLIMIT_NOFILE); the pipe is closed.
  virtual absl::StatusOr<std::optional<size_t>> TryReceive(absl::Span<std::byte> buffer,
                                                           std::vector<Fd>* descriptors) = 0;

  // Puts as many messages into parts of `buffer` as come and fit, at most `messages.size()`, and says where; returns
  // how many. 0: there is none now. Errors as `TryReceive`, where the first message meets one; a later one's comes with
  // the next call.
  virtual absl::StatusOr<size_t> TryReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                                 std::vector<Fd>* descriptors);

  // The next message where it lies, until `Release` or the next receiving call; nullopt: there is none now. It stays
  // the next one, but its descriptors are appended, or closed, with the first peek. In a ring it is memory of the peer,
  // who may still change it: copy what you check. Errors as `TryReceive`, but for the buffer.
  virtual absl::StatusOr<std::optional<Blob>> TryPeek(std::vector<Fd>* descriptors) = 0;

  // Done with the message that was peeked at. FAILED_PRECONDITION: there is none.
  virtual absl::Status Release() = 0;

  // Waiting.

  // Return OK when the matching Try call is worth another attempt: it may succeed, or report the end. Readiness is a
  // hint. DEADLINE_EXCEEDED: not so until `deadline`.
  virtual absl::Status WaitToSend(Deadline deadline) = 0;
  virtual absl::Status WaitToReceive(Deadline deadline) = 0;

  // The same for an event loop: what becomes ready, at the latest, when a refused Try call is worth another attempt,
  // and stays so until one is refused again; ready at first. So after a refused call it is safe to wait, for an edge as
  // well; a loop that waits for the level may stop earlier, to be fair to others. A message that was peeked at, or too
  // large for the buffer, makes nothing ready again. Nor need a send that was refused for its descriptors: the kernel
  // counts those on their way, and tells nobody; wait 1 ms after the refusal of a send that has some.
  // Both may be one descriptor, which an event loop takes once only: give it a `Duplicate`, also where it wants to own
  // what it watches. Valid as long as the pipe.
  // RESOURCE_EXHAUSTED: no descriptor for it (raise RLIMIT_NOFILE). FAILED_PRECONDITION: this kind of pipe has none.
  virtual absl::StatusOr<Waitable> SendWaitable() = 0;
  virtual absl::StatusOr<Waitable> ReceiveWaitable() = 0;

  // For a session, which drives its channels by one descriptor: what its event loop has to watch for this pipe's
  // messages; nullopt: the session's own socket tells of them. Errors as `ReceiveWaitable`, which is the default.
  virtual absl::StatusOr<std::optional<Waitable>> LoopWaitable();
  // Of the receiving thread. True: a receiving call is worth an attempt. False: what `LoopWaitable` names, or the
  // session's socket, becomes ready when one is.
  virtual bool ArmReceiving();

  // How `WaitTo...`, and so `Send` and `Receive`, wait. Call it before the first of them.
  void set_wait_mode(WaitMode mode) { wait_mode_ = mode; }
  WaitMode wait_mode() const { return wait_mode_; }

  // Ends both directions: calls here answer CANCELLED, waiting ones included; the peer gets what was sent, then
  // UNAVAILABLE (kGoodbye). Never waits; closing twice is harmless.
  virtual void Close() = 0;

  // What passed since the pipe was made. Costs the traffic nothing.
  PipeCounters counters() const;
  // Their messages alone, of the threads that send and receive them.
  uint64_t messages_sent() const { return send_stats_.messages(); }
  uint64_t messages_received() const { return receive_stats_.messages(); }

  // For a session, which says what becomes of the peer's end; null: nobody does.
  void set_peer_end(std::shared_ptr<const internal::PeerEnd> end) { peer_end_ = std::move(end); }
  const std::shared_ptr<const internal::PeerEnd>& peer_end() const { return peer_end_; }

  // One message from one piece, without waiting; as `TrySendParts`.
  absl::StatusOr<bool> TrySend(Blob blob, absl::Span<const FdView> descriptors = {});

  // As `TrySendParts`, but waits for room. DEADLINE_EXCEEDED: there was none until `deadline`; nothing was sent.
  absl::Status Send(Blob blob, absl::Span<const FdView> descriptors = {}, Deadline deadline = Deadline::Default());
  absl::Status SendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors = {},
                         Deadline deadline = Deadline::Default());

  // As `TryReceive`, but waits for a message. DEADLINE_EXCEEDED: none came until `deadline`.
  absl::StatusOr<size_t> Receive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors = nullptr,
                                 Deadline deadline = Deadline::Default());

 protected:
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  // The sending thread's, and the receiving thread's.
  internal::DirectionStats& send_stats() { return send_stats_; }
  internal::DirectionStats& receive_stats() { return receive_stats_; }

  const internal::ForkGuard& fork_guard() const { return fork_guard_; }

  // For `counters`, from any thread.
  virtual uint64_t UnreadBytes() const { return 0; }

 private:
  internal::DirectionStats send_stats_;
  internal::DirectionStats receive_stats_;
  WaitMode wait_mode_ = WaitMode::kAdaptive;
  std::shared_ptr<const internal::PeerEnd> peer_end_;
  const internal::ForkGuard fork_guard_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_PIPE_H_
