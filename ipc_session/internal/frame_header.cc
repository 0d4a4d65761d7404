#include "ipc_session/internal/frame_header.h"

#include "absl/strings/str_cat.h"
#include "ipc_session/internal/wire.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr uint32_t kMagic = 0x63756c53;  // "Sluc".

}  // namespace

void AppendFrameHeader(FrameType type, uint16_t version, size_t body_bytes, std::string* packet) {
  AppendWire(FrameHeader{.magic = kMagic,
                         .length = static_cast<uint32_t>(sizeof(FrameHeader) + body_bytes),
                         .type = type,
                         .version = version},
             packet);
}

absl::StatusOr<FrameHeader> TakeFrameHeader(absl::Span<const std::byte>* rest) {
  const size_t length = rest->size();
  FrameHeader header;
  if (!TakeWire(rest, &header)) return MalformedFrame("a packet is shorter than a header");
  if (header.magic != kMagic) return MalformedFrame("a packet has another magic number");
  if (header.length != length) return MalformedFrame("a frame's length is not its packet's");
  return header;
}

absl::Status MalformedFrame(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the peer does not speak the session protocol: ", what));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
