// Frames over a connected Unix socket: the part of a socket pipe that differs between packets and a stream.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_FRAME_SOCKET_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_FRAME_SOCKET_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/keep_alive.h"
#include "ipc_transport/internal/socket_frames.h"
#include "ipc_transport/internal/socket_handshake.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What a call for several messages received, and what it met after them; OK: nothing.
struct FrameBatch {
  size_t messages = 0;
  absl::Status end;
};

// No call waits. Sending: any thread. Receiving: one thread at a time. Errors of both: UNAVAILABLE, with its Reason;
// DATA_LOSS, RESOURCE_EXHAUSTED and INVALID_ARGUMENT as of `Pipe`.
class FrameSocket {
 public:
  // After the handshake. RESOURCE_EXHAUSTED: no descriptor for what a stream needs.
  static absl::StatusOr<std::unique_ptr<FrameSocket>> Create(SocketHandshake handshake);
  virtual ~FrameSocket() = default;
  FrameSocket(const FrameSocket&) = delete;
  FrameSocket& operator=(const FrameSocket&) = delete;

  FdView socket() const { return socket_; }
  size_t max_message_bytes() const { return max_message_bytes_; }
  KeepAlive& keep_alive() { return keep_alive_; }

  // False: no room. A stream may keep the rest of a message that it sent in part, see `has_rest`.
  virtual absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                           absl::Span<const FdView> descriptors) = 0;
  // How many of `messages` went; fewer than all: no room for the next.
  virtual absl::StatusOr<size_t> SendMessages(absl::Span<const Blob> messages) = 0;
  // Where there is room.
  virtual void SendKeepAlive() = 0;
  // Sends a frame after which no message follows, by means of the room that was kept back; false: there was not
  // enough.
  virtual absl::StatusOr<bool> SendLast(FrameType type) = 0;

  // Whether something that counts as sent waits for room; `Flush` sends what goes.
  virtual bool has_rest() const { return false; }
  virtual absl::Status Flush() { return absl::OkStatus(); }

  // The next message: its first bytes into `buffer`, the rest into `overflow`. nullopt: none now. OUT_OF_RANGE: the
  // peer has finished, and this is not called again.
  virtual absl::StatusOr<std::optional<size_t>> Receive(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                        std::vector<Fd>* descriptors) = 0;
  // As many as come, each into a part of `buffer` that has room for the largest. The default: one by one.
  virtual FrameBatch ReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                  std::vector<Fd>* descriptors);
  // Takes keep-alives in, up to the next message, which stays. An error: the end of the pipe, which stays too.
  virtual absl::Status ReadNotices() = 0;
  // Whether a frame may be complete that the socket no longer has.
  virtual bool has_read_ahead() const { return false; }
  // Becomes readable when `Receive` or `Flush` is worth another attempt.
  virtual FdView receive_event() const { return socket_; }

  // Whether bytes of the peer lie unread in the socket.
  bool HasUnread() const;
  // Ends both directions and wakes whoever waits for either.
  void Shutdown();

 protected:
  explicit FrameSocket(SocketHandshake handshake);

  // More keep-alives in a row than a socket holds: a peer that sends nothing else would hold a call up for ever.
  static constexpr int kMaxNoticesAtOnce = 1 << 16;
  static absl::Status TooManyNotices();

  // Gives up the room that was kept back for the last frames.
  void UseReserve();

  // Of the receiving side: set when the peer has finished.
  bool peer_has_finished_ = false;

 private:
  const size_t max_message_bytes_;
  KeepAlive keep_alive_;
  const Fd socket_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_FRAME_SOCKET_H_
