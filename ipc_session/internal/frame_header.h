// What every packet of a login starts with.

#ifndef SLUICE_IPC_SESSION_INTERNAL_FRAME_HEADER_H_
#define SLUICE_IPC_SESSION_INTERNAL_FRAME_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The largest packet of a login.
inline constexpr size_t kMaxFrameBytes = 4096 + 512;

enum class FrameType : uint16_t { kHello = 1, kWelcome = 2, kRefusal = 3, kReady = 4, kInquiry = 5, kReport = 6 };

struct FrameHeader {
  uint32_t magic;
  uint32_t length;  // Of the packet.
  FrameType type;
  uint16_t version;  // Of the layout; a hello and an inquiry are laid out in the oldest version that they offer.
};
static_assert(sizeof(FrameHeader) == 12);

struct VersionRange {
  uint16_t oldest;
  uint16_t newest;
};

// The header of a packet with `body_bytes` behind it.
void AppendFrameHeader(FrameType type, uint16_t version, size_t body_bytes, std::string* packet);

// Leaves the body in `rest`. DATA_LOSS: there is no header, or not this packet's.
absl::StatusOr<FrameHeader> TakeFrameHeader(absl::Span<const std::byte>* rest);

// DATA_LOSS: the peer does not speak the session protocol, and `what` is why.
absl::Status MalformedFrame(absl::string_view what);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_FRAME_HEADER_H_
