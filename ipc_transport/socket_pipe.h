// A pipe over a Unix socket: needs no shared memory, costs a system call a message.

#ifndef SLUICE_IPC_TRANSPORT_SOCKET_PIPE_H_
#define SLUICE_IPC_TRANSPORT_SOCKET_PIPE_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_transport/buffered_pipe.h"
#include "ipc_transport/internal/direction_stats.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/credentials.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {

namespace internal {
class FrameSocket;
class SocketHandshake;
}  // namespace internal

struct SocketPipeOptions {
  // The largest message to send, and to receive: 1 B to 128 KiB; the smaller one of the two sides' holds for both.
  // Larger packets would not fit into a socket of the kernel's default net.core.wmem_max (208 KiB) beside the room that
  // is kept back for the last notices.
  size_t max_message_bytes = 64 * 1024;

  // This side says that it is alive when it has sent nothing for so long: 1 ms to 24 h, or zero: never.
  absl::Duration keep_alive_period = absl::ZeroDuration();
  // Silence of the peer for so long ends the pipe with UNAVAILABLE (kSilent): 1 ms to 24 h, longer than the peer's
  // keep_alive_period, or zero: never.
  absl::Duration idle_timeout = absl::ZeroDuration();
};

struct SocketConnectOptions {
  SocketPipeOptions pipe = {};
  // Waits until the deadline for a server that does not listen yet, rather than to fail at once.
  bool wait_for_server = false;
};

// As `Pipe`. Descriptors: 16 a message. Each side says first which versions and sizes it takes; so a pipe is made only
// where the peer makes one too.
//
// A stream socket works as well as a SEQPACKET socket; the pipe frames its messages. Where a stream takes only a part
// of a message, the message counts as sent, and the next call that sends, receives or waits sends the rest, also after
// `FinishSending`. `Close` sends it into room that is kept back for that. A peer that gets a part only, because this
// process died or its system gives sockets too little memory (net.core.wmem_max below 208 KiB), drops it, and has
// UNAVAILABLE (kGone) in place of the goodbye.
//
// The peer's process. A pipe from `Connect` or `SocketListener::Accept` also ends when the process at the other end
// dies while a forked child keeps a copy of its socket: for `Connect` that is the process that called listen(2), unless
// it had ended before, for `Accept` the one that connected. What it sent is received first. A sending call notices when
// there is no room. Pipes from `FromSocket` and `CreatePair` watch the socket alone, as who connected it need not be
// who has it.
//
// Keep-alive. It works in calls that wait, and in `RunTimer`: there is no thread behind it. A peer is alive as long as
// bytes of it come, and while a message of it lies here that nobody has received. So a peer that runs but neither
// sends, nor waits in its pipe, nor calls `RunTimer` is silent, as is one that is stopped.
class SocketPipe final : public BufferedPipe {
 public:
  // A connected pair, one end for each of two threads or processes.
  static absl::StatusOr<std::pair<std::unique_ptr<SocketPipe>, std::unique_ptr<SocketPipe>>> CreatePair(
      const SocketPipeOptions& options = {});

  // Takes a connected Unix socket over, SEQPACKET or stream; the peer must do the same.
  // INVALID_ARGUMENT: it is not one, or bad options. FAILED_PRECONDITION: no common version (kWrongVersion), or one
  // side's idle_timeout is not longer than the other's keep_alive_period. DATA_LOSS: the peer speaks something else.
  // UNAVAILABLE (kGone): the peer went. DEADLINE_EXCEEDED: it did not answer in time.
  static absl::StatusOr<std::unique_ptr<SocketPipe>> FromSocket(Fd socket, const SocketPipeOptions& options = {},
                                                                Deadline deadline = Deadline::Default());

  // Connects to a `SocketListener` at `path`, and waits until `deadline` for room in its queue and for it to accept.
  // INVALID_ARGUMENT: bad options, or a path of more than 107 bytes. UNAVAILABLE (kNoServer): nobody listens there.
  // PERMISSION_DENIED: the modes of socket or folder do not let this process in. DEADLINE_EXCEEDED: the queue stayed
  // full, the server did not accept, or none came (kNoServer). The rest as `FromSocket`.
  static absl::StatusOr<std::unique_ptr<SocketPipe>> Connect(absl::string_view path,
                                                             Deadline deadline = Deadline::Default(),
                                                             const SocketConnectOptions& options = {});

  // For listeners and sessions: `BeginHandshake`, with valid options, then, once that is done, a pipe that watches
  // `process`, unless that is empty.
  static absl::StatusOr<internal::SocketHandshake> BeginHandshake(Fd socket, const SocketPipeOptions& options);
  static absl::StatusOr<std::unique_ptr<SocketPipe>> FromHandshake(internal::SocketHandshake handshake, PidFd process);

  // INVALID_ARGUMENT: options out of their range.
  static absl::Status Check(const SocketPipeOptions& options);

  ~SocketPipe() override;

  // Who made the other end, as it was then.
  const Credentials& peer() const { return peer_; }
  // The process that this pipe watches; empty: none.
  const PidFd& peer_process() const { return process_; }

  absl::StatusOr<Waitable> SendWaitable() override;
  absl::StatusOr<Waitable> ReceiveWaitable() override;

  // For an event loop, where keep-alive is on: call `RunTimer` when `NextTimer` has passed, then ask again; calls on
  // the pipe move it. Any thread. Sends a keep-alive if one is due, and ends a pipe whose peer is silent.
  // Errors: why the pipe has ended.
  Deadline NextTimer() const;
  absl::Status RunTimer();

 private:
  SocketPipe(std::unique_ptr<internal::FrameSocket> frames, const Credentials& peer, PidFd process);

  absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                   absl::Span<const FdView> descriptors) override;
  absl::StatusOr<size_t> SendMessages(absl::Span<const Blob> messages) override;
  absl::StatusOr<std::optional<size_t>> ReceiveMessage(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                       std::vector<Fd>* descriptors) override;
  absl::StatusOr<size_t> ReceiveMessages(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                         std::vector<Fd>* descriptors) override;
  absl::Status WaitForRoom(Deadline deadline) override;
  absl::Status WaitForMessage(Deadline deadline) override;
  absl::Status SendFinish() override;
  void Shut() override;

  // Of a sending call: why it found no room, or failed with `status`. OK: there is just no room.
  absl::Status WhyNotSent(const absl::Status& status);
  // Ends both directions because of `status`, unless they had ended before; returns why they did.
  absl::Status End(const absl::Status& status);
  // Why the peer is gone: how its process ended, if that is known.
  absl::Status Gone() const;
  absl::Status WaitFor(Waitable waitable, internal::Spinner& spinner, internal::DirectionStats& stats,
                       Deadline deadline);
  // `waitable`, and the process if it is watched; `epoll` holds both.
  absl::StatusOr<Waitable> WithProcess(Waitable waitable, Fd& epoll);

  const std::unique_ptr<internal::FrameSocket> frames_;
  const Credentials peer_;
  const PidFd process_;

  internal::Mutex end_mutex_;
  absl::Status end_ ABSL_GUARDED_BY(end_mutex_);  // Why both directions have ended.
  std::atomic<bool> has_ended_{false};            // Whether they have; relaxed, as it guards nothing.

  // The sending thread's.
  bool refused_descriptors_ = false;  // What was last refused had some.
  internal::Spinner send_spinner_;
  Fd send_events_;

  // Held while something is received: by the receiving thread, or by who looks for keep-alives.
  internal::Mutex receive_mutex_;

  // The receiving thread's.
  internal::Spinner receive_spinner_;
  Fd receive_events_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_SOCKET_PIPE_H_
