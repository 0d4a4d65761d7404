// The frames of a socket pipe, as both of its kinds of socket carry them.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_SOCKET_FRAMES_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_SOCKET_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "absl/status/status.h"
#include "ipc_transport/pipe.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

enum class FrameType : uint8_t { kMessage = 1, kFinish = 2, kGoodbye = 3, kKeepAlive = 4 };

// Before each message, and alone for the others: so a message of no bytes is no end of the socket.
struct FrameHeader {
  FrameType type = FrameType::kMessage;
  uint8_t descriptors = 0;
  uint16_t reserved = 0;
  uint32_t bytes = 0;
};
static_assert(std::is_trivially_copyable_v<FrameHeader> && sizeof(FrameHeader) == 8);

inline Blob BytesOf(const FrameHeader& header) {
  return Blob(reinterpret_cast<const std::byte*>(&header), sizeof(header));
}

// The one step that a header of the peer goes through before it is used; `descriptors` came with it. DATA_LOSS.
absl::Status Validate(const FrameHeader& header, size_t descriptors, size_t max_message_bytes);

// As above, of a frame that came as one packet of `packet_bytes` bytes.
absl::Status ValidatePacket(const FrameHeader& header, size_t packet_bytes, size_t descriptors,
                            size_t max_message_bytes);

// What a valid frame means for receiving. OK: it goes on. OUT_OF_RANGE: a finish. UNAVAILABLE (kGoodbye): a goodbye.
absl::Status EndOf(FrameType type);

// What may follow a finish: keep-alives (OK), and a goodbye (UNAVAILABLE); all else is DATA_LOSS.
absl::Status AfterFinish(FrameType type);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_SOCKET_FRAMES_H_
