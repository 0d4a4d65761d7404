// Frames in a stream of bytes: one is finished before the next is begun, and never is a byte read beyond the next
// frame's header, so that descriptors, which come with the first byte of their frame, are not taken for another's.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_STREAM_SOCKET_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_STREAM_SOCKET_H_

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/frame_socket.h"
#include "ipc_transport/internal/socket_frames.h"
#include "ipc_transport/internal/socket_handshake.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

class StreamSocket final : public FrameSocket {
 public:
  static absl::StatusOr<std::unique_ptr<FrameSocket>> Create(SocketHandshake handshake);

  absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                   absl::Span<const FdView> descriptors) override;
  absl::StatusOr<size_t> SendMessages(absl::Span<const Blob> messages) override;
  void SendKeepAlive() override;
  // A frame that has no room becomes part of the rest.
  absl::StatusOr<bool> SendLast(FrameType type) override;
  bool has_rest() const override { return has_rest_.load(std::memory_order_acquire); }  // Pairs with `SetHasRest`.
  absl::Status Flush() override;
  absl::StatusOr<std::optional<size_t>> Receive(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                std::vector<Fd>* descriptors) override;
  absl::Status ReadNotices() override;
  bool has_read_ahead() const override { return header_bytes_ == sizeof(FrameHeader); }
  FdView receive_event() const override { return epoll_; }

 private:
  // A message whose header was read and checked.
  struct Incoming {
    size_t bytes;
    std::vector<Fd> descriptors;
    size_t received = 0;    // Of its bytes.
    bool is_saved = false;  // They are in `saved_`.
  };

  explicit StreamSocket(SocketHandshake handshake) : FrameSocket(std::move(handshake)) {}

  absl::StatusOr<bool> FlushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_mutex_);
  // Keeps what is beyond the first `sent` bytes of `parts`.
  void KeepRest(absl::Span<const iovec> parts, size_t sent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_mutex_);
  void SetHasRest(bool has_rest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_mutex_);

  // Reads what is missing of the next header; nullopt: not all of it is there. Checks it.
  absl::StatusOr<std::optional<FrameHeader>> ReadHeader();
  // What kind of frame is next, taking nothing off the socket; nullopt: not all of its header is there.
  absl::StatusOr<std::optional<FrameType>> PeekType();
  // Takes the header, which is complete, off.
  void DropHeader();
  // Reads what is missing of the message, and some of the next header. False: not all of it is there.
  absl::StatusOr<bool> ReadBody(absl::Span<const iovec> into);
  // Some bytes into `into`; 0: there are none now.
  absl::StatusOr<size_t> ReceiveSome(absl::Span<iovec> into, PacketSlot& slot);

  // Watches the socket, for writing too while there is a rest.
  Fd epoll_;

  Mutex send_mutex_;
  std::vector<std::byte> rest_ ABSL_GUARDED_BY(send_mutex_);  // One frame, and last ones, at most.
  size_t rest_sent_ ABSL_GUARDED_BY(send_mutex_) = 0;         // Of its bytes.
  std::atomic<bool> has_rest_{false};                         // Release in `SetHasRest`, acquire in `has_rest`.

  // The receiving side's.
  std::array<std::byte, sizeof(FrameHeader)> header_ = {};  // Of the frame after `incoming_`.
  size_t header_bytes_ = 0;
  std::vector<Fd> header_descriptors_;
  absl::Status header_status_;  // Not OK: its descriptors are lost.
  std::optional<Incoming> incoming_;
  std::unique_ptr<std::byte[]> saved_;  // Made when a message first comes in pieces.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_STREAM_SOCKET_H_
