#include "ipc_transport/internal/socket_frames.h"

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/message_checks.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::Status Validate(const FrameHeader& header, size_t descriptors, size_t max_message_bytes) {
  const bool is_message =
      header.type == FrameType::kMessage && header.bytes <= max_message_bytes && header.descriptors <= kMaxDescriptors;
  const bool is_notice = (header.type == FrameType::kFinish || header.type == FrameType::kGoodbye ||
                          header.type == FrameType::kKeepAlive) &&
                         header.bytes == 0 && header.descriptors == 0;
  if ((is_message || is_notice) && header.reserved == 0 && header.descriptors == descriptors) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "the peer sent a frame of type ", static_cast<int>(header.type), " that announces ", header.bytes, " bytes and ",
      static_cast<int>(header.descriptors), " descriptors, with ", descriptors, " descriptors; that cannot be"));
}

absl::Status ValidatePacket(const FrameHeader& header, size_t packet_bytes, size_t descriptors,
                            size_t max_message_bytes) {
  if (packet_bytes >= sizeof(header) && packet_bytes - sizeof(header) == header.bytes) {
    return Validate(header, descriptors, max_message_bytes);
  }
  return absl::DataLossError(
      absl::StrCat("the peer sent a packet of ", packet_bytes, " bytes that is no whole frame; that cannot be"));
}

absl::Status EndOf(FrameType type) {
  if (type == FrameType::kFinish) return PeerFinished();
  if (type == FrameType::kGoodbye) return PeerClosed();
  return absl::OkStatus();
}

absl::Status AfterFinish(FrameType type) {
  if (type == FrameType::kKeepAlive) return absl::OkStatus();
  if (type == FrameType::kGoodbye) return PeerClosed();
  return absl::DataLossError("the peer sent more after it had finished");
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
