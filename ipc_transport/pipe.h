// A pipe: messages with boundaries, in order, between two processes, both ways.

#ifndef SLUICE_IPC_TRANSPORT_PIPE_H_
#define SLUICE_IPC_TRANSPORT_PIPE_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

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

// One end. Made by its kind (SocketPipe, RingPipe) or taken from a session; destroying it closes it.
// Threads: one sender and one receiver at a time; `Close` from any.
//
//   absl::Status sent = pipe.Send(blob);                                    // Waits for room, 30 s at most.
//   absl::StatusOr<size_t> bytes = pipe.Receive(absl::MakeSpan(buffer));    // Waits for a message.
//
// Errors that every call may return: CANCELLED, this end is closed; UNAVAILABLE, the peer has closed its end or is dead
// (`ReasonOf` tells); DATA_LOSS, the peer broke the protocol, and the pipe is of no more use. What the peer sent before
// it went is received first.
class Pipe {
 public:
  virtual ~Pipe() = default;

  // The largest message, in bytes; agreed with the peer when the pipe was made.
  virtual size_t max_message_bytes() const = 0;

  // The most descriptors that one message carries.
  virtual size_t max_descriptors() const = 0;

  // Sends the concatenation of `parts` as one message, with duplicates of `descriptors`; parts and descriptors are the
  // caller's again on return. Never waits. False: no room now, nothing was sent.
  // INVALID_ARGUMENT: more bytes or descriptors than the limits, or a descriptor that is not open; nothing was sent.
  // FAILED_PRECONDITION: after `FinishSending`.
  virtual absl::StatusOr<bool> TrySendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors) = 0;

  // Puts the next message into `buffer` and returns its size; nullopt: there is none now. Its descriptors are
  // appended to `*descriptors`, or closed where that is null. Never waits.
  // INVALID_ARGUMENT: the message is larger than `buffer`; it stays the next one.
  // OUT_OF_RANGE: the peer has finished sending, and everything was received.
  // RESOURCE_EXHAUSTED: this process has no room for the descriptors (raise RLIMIT_NOFILE); the pipe is closed.
  virtual absl::StatusOr<std::optional<size_t>> TryReceive(absl::Span<std::byte> buffer,
                                                           std::vector<Fd>* descriptors) = 0;

  // Return OK when the matching Try call is worth another attempt: it may succeed, or report the end. Readiness is a
  // hint. DEADLINE_EXCEEDED: not so until `deadline`.
  virtual absl::Status WaitToSend(Deadline deadline) = 0;
  virtual absl::Status WaitToReceive(Deadline deadline) = 0;

  // Tells the peer that no more follows; it receives everything, then OUT_OF_RANGE. Receiving here goes on. Never
  // waits. RESOURCE_EXHAUSTED: this system gives sockets too little memory for the notice; the text says what to raise.
  virtual absl::Status FinishSending() = 0;

  // Ends both directions: calls here answer CANCELLED, waiting ones included; the peer gets what was sent, then
  // UNAVAILABLE (kGoodbye). Never waits; closing twice is harmless.
  virtual void Close() = 0;

  // How `WaitTo...`, and so `Send` and `Receive`, wait. Call it before the first of them.
  void set_wait_mode(WaitMode mode) { wait_mode_ = mode; }
  WaitMode wait_mode() const { return wait_mode_; }

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
  Pipe(const Pipe&) = default;
  Pipe& operator=(const Pipe&) = default;

 private:
  WaitMode wait_mode_ = WaitMode::kAdaptive;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_PIPE_H_
