#include "ipc_session/internal/channel_frames.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_session/internal/limits.h"
#include "ipc_session/internal/wire.h"
#include "ipc_transport/internal/link.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// The places of the frames in `ChannelFrame`, plus 1.
enum class FrameType : uint8_t { kOpen = 1, kAccept = 2, kRefuse = 3, kWithdraw = 4, kRetire = 5, kRegion = 6 };

struct Header {
  FrameType type;
  PipeKind pipe = PipeKind::kRing;
  uint16_t metadata_bytes = 0;
  uint32_t channel;  // Or region.
};

struct LaneBody {
  uint64_t offset;
  uint64_t ring_bytes;
};

struct RegionBody {
  uint64_t bytes;
  uint64_t address;
};

static_assert(sizeof(Header) == 8 && sizeof(LaneBody) == 16 && sizeof(RegionBody) == 16);
static_assert(sizeof(Header) + sizeof(LaneBody) + kMaxMetadataBytes <= Link::kMaxControlBytes);
static_assert(sizeof(Header) + sizeof(RefusalBody) <= Link::kMaxControlBytes);

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the peer does not speak the channel protocol: ", what));
}

std::string Start(FrameType type, uint32_t channel) {
  std::string packet;
  AppendWire(Header{.type = type, .channel = channel}, &packet);
  return packet;
}

LaneBody BodyOf(const LanePlace& lane) { return {.offset = lane.offset, .ring_bytes = lane.ring_bytes}; }

std::string EncodeFrame(const OpenFrame& frame) {
  std::string packet;
  AppendWire(Header{.type = FrameType::kOpen,
                    .pipe = frame.pipe,
                    .metadata_bytes = static_cast<uint16_t>(frame.metadata.size()),
                    .channel = frame.channel},
             &packet);
  AppendWire(BodyOf(frame.lane), &packet);
  return packet + frame.metadata;
}

std::string EncodeFrame(const AcceptFrame& frame) {
  std::string packet = Start(FrameType::kAccept, frame.channel);
  AppendWire(BodyOf(frame.lane), &packet);
  return packet;
}

std::string EncodeFrame(const RefuseFrame& frame) {
  std::string packet = Start(FrameType::kRefuse, frame.channel);
  AppendWire(ToBody(frame.refusal), &packet);
  return packet;
}

std::string EncodeFrame(const WithdrawFrame& frame) { return Start(FrameType::kWithdraw, frame.channel); }

std::string EncodeFrame(const RetireFrame& frame) {
  std::string packet = Start(FrameType::kRetire, frame.channel);
  AppendWire(frame.received, &packet);
  return packet;
}

std::string EncodeFrame(const RegionFrame& frame) {
  std::string packet = Start(FrameType::kRegion, frame.number);
  AppendWire(RegionBody{.bytes = frame.bytes, .address = frame.address}, &packet);
  return packet;
}

}  // namespace

std::string Encode(const ChannelFrame& frame) {
  return std::visit([](const auto& its_kind) { return EncodeFrame(its_kind); }, frame);
}

absl::StatusOr<ChannelFrame> DecodeChannelFrame(absl::Span<const std::byte> packet) {
  Header header;
  if (!TakeWire(&packet, &header)) return Malformed("a packet is shorter than a header");
  const bool opens = header.type == FrameType::kOpen;
  if (!opens && (header.pipe != PipeKind::kRing || header.metadata_bytes != 0)) {
    return Malformed("a field that this frame does not have is in use");
  }
  LaneBody lane = {};
  const bool has_lane = opens || header.type == FrameType::kAccept;
  if (has_lane && !TakeWire(&packet, &lane)) return Malformed("a frame is too short for its lane");
  RefusalBody refusal_body;
  const bool refuses = header.type == FrameType::kRefuse;
  if (refuses && !TakeWire(&packet, &refusal_body)) return Malformed("a refusal is too short");
  uint64_t received = 0;
  const bool retires = header.type == FrameType::kRetire;
  if (retires && !TakeWire(&packet, &received)) return Malformed("a retirement is too short");
  RegionBody region = {};
  const bool announces = header.type == FrameType::kRegion;
  if (announces && !TakeWire(&packet, &region)) return Malformed("an announcement of a region is too short");
  if (packet.size() != header.metadata_bytes || packet.size() > kMaxMetadataBytes) {
    return Malformed("a frame has another size than it says");
  }
  switch (header.type) {
    case FrameType::kOpen:
      if (header.pipe > PipeKind::kMq) return Malformed("an unknown kind of pipe");
      return OpenFrame{.channel = header.channel,
                       .pipe = header.pipe,
                       .lane = {lane.offset, lane.ring_bytes},
                       .metadata = std::string(reinterpret_cast<const char*>(packet.data()), packet.size())};
    case FrameType::kAccept:
      return AcceptFrame{.channel = header.channel, .lane = {lane.offset, lane.ring_bytes}};
    case FrameType::kRefuse: {
      absl::StatusOr<Refusal> refusal = FromBody(refusal_body);
      if (!refusal.ok()) return Malformed(refusal.status().message());
      return RefuseFrame{.channel = header.channel, .refusal = *std::move(refusal)};
    }
    case FrameType::kWithdraw:
      return WithdrawFrame{.channel = header.channel};
    case FrameType::kRetire:
      return RetireFrame{.channel = header.channel, .received = received};
    case FrameType::kRegion:
      return RegionFrame{.number = header.channel, .bytes = region.bytes, .address = region.address};
  }
  return Malformed(absl::StrCat("a frame of type ", static_cast<int>(header.type)));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
