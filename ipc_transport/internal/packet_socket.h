// Frames as packets: the kernel keeps each in one piece.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_PACKET_SOCKET_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_PACKET_SOCKET_H_

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/frame_socket.h"
#include "ipc_transport/internal/socket_frames.h"
#include "ipc_transport/internal/socket_handshake.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

class PacketSocket final : public FrameSocket {
 public:
  explicit PacketSocket(SocketHandshake handshake) : FrameSocket(std::move(handshake)) {}

  absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                   absl::Span<const FdView> descriptors) override;
  absl::StatusOr<size_t> SendMessages(absl::Span<const Blob> messages) override;
  void SendKeepAlive() override;
  absl::StatusOr<bool> SendLast(FrameType type) override;
  absl::StatusOr<std::optional<size_t>> Receive(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                std::vector<Fd>* descriptors) override;
  FrameBatch ReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                          std::vector<Fd>* descriptors) override;
  absl::Status ReadNotices() override;

 private:
  absl::StatusOr<bool> SendNotice(FrameType type);
  // The next frame, whatever it is, checked; nullopt: none now.
  absl::StatusOr<std::optional<FrameHeader>> ReceiveFrame(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                          std::vector<Fd>* descriptors);
  // `messages.size()` packets at most, of which those that are messages count.
  FrameBatch ReceivePacketBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                std::vector<Fd>* descriptors, size_t* packets);
  absl::Status CheckSlot(const FrameHeader& header, const PacketSlot& slot);

  // Of the receiving side: what came with the peer's finish, in one batch.
  absl::Status after_finish_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_PACKET_SOCKET_H_
