#include "ipc_session/internal/outbox.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kHeaderBytes = kPageBytes;
constexpr uint64_t kWantsBellOffset = 64;
constexpr uint64_t kCounterBytes = kLoanSlots * sizeof(std::atomic<uint32_t>);
static_assert(kCounterBytes % kPageBytes == 0 && kLaneControlBytes % kPageBytes == 0);
static_assert(std::atomic<uint32_t>::is_always_lock_free);

constexpr uint64_t kLanesOffset = kHeaderBytes + kCounterBytes;
constexpr uint64_t kDefaultBytes = uint64_t{64} << 20;
constexpr uint64_t kSpareRings = 16;  // For channels opened later, beside those that the session starts with.

struct Part {
  uint64_t offset;
  uint64_t bytes;
};

Part Counters(const OutboxLayout& layout) { return {layout.counters_offset, kCounterBytes}; }

bool LiesIn(Part part, uint64_t bytes) {
  return part.offset % kPageBytes == 0 && part.offset <= bytes && part.bytes <= bytes - part.offset;
}

bool AreApart(Part a, Part b) { return a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset; }

}  // namespace

OutboxLayout OutboxLayout::For(uint64_t bytes, uint64_t ring_bytes, uint64_t channels) {
  const uint64_t needed = kLanesOffset + (channels + kSpareRings) * LaneBytes(ring_bytes);
  const uint64_t wanted = bytes != 0 ? bytes : std::max(kDefaultBytes, needed);
  return {.bytes = (wanted + kPageBytes - 1) / kPageBytes * kPageBytes,
          .counters_offset = kHeaderBytes,
          .lanes_offset = kLanesOffset,
          .ring_bytes = ring_bytes,
          .loan_slots = kLoanSlots};
}

absl::Status Validate(const OutboxLayout& layout) {
  const bool sizes_can_be = layout.bytes <= Region::kMaxBytes && layout.bytes % kPageBytes == 0 &&
                            IsValidRingBytes(layout.ring_bytes) && layout.loan_slots == kLoanSlots &&
                            layout.reserved == 0;
  if (sizes_can_be && LiesIn(Counters(layout), layout.bytes) && LiesIn({layout.lanes_offset, 0}, layout.bytes) &&
      AreApart(Counters(layout), {layout.lanes_offset, layout.bytes - layout.lanes_offset})) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("the peer's outbox cannot be: ", layout.bytes, " bytes, ", layout.loan_slots,
                                          " counters at ", layout.counters_offset, ", lanes of ", layout.ring_bytes,
                                          " bytes at ", layout.lanes_offset));
}

absl::Status Validate(const LanePlace& lane, const OutboxLayout& layout) {
  if (IsValidRingBytes(lane.ring_bytes) && lane.offset >= layout.lanes_offset &&
      LiesIn({lane.offset, lane.bytes()}, layout.bytes)) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("the peer's lane cannot be: a ring of ", lane.ring_bytes, " bytes at ",
                                          lane.offset, " of its outbox of ", layout.bytes));
}

absl::StatusOr<OwnOutbox> OwnOutbox::Create(const OutboxLayout& layout) {
  SLUICE_ASSIGN_OR_RETURN(Region region, Region::Create("sluice-outbox", layout.bytes, Sharing::kOneWriter));
  return OwnOutbox(layout, std::move(region));
}

void OwnOutbox::InitLanes(size_t count) const {
  for (size_t i = 0; i < count; ++i) InitLane(lane(layout_.first_lane(i)));
}

void OwnOutbox::RenewLane(const LanePlace& place) const {
  // Of the ring only the first commit word is looked at before it is written: each record zeroes that of the next.
  std::memset(lane(place).data(), 0, kLaneControlBytes + kRecordAlignment);
  InitLane(lane(place));
}

absl::Span<std::byte> OwnOutbox::lane(const LanePlace& place) const {
  return region_.bytes().subspan(place.offset, place.bytes());
}

absl::Span<std::atomic<uint32_t>> OwnOutbox::counters() const {
  return absl::MakeSpan(reinterpret_cast<std::atomic<uint32_t>*>(region_.data() + layout_.counters_offset), kLoanSlots);
}

std::atomic<uint32_t>& OwnOutbox::retired() const { return *reinterpret_cast<std::atomic<uint32_t>*>(region_.data()); }

std::atomic<uint32_t>& OwnOutbox::wants_bell() const {
  return *reinterpret_cast<std::atomic<uint32_t>*>(region_.data() + kWantsBellOffset);
}

absl::StatusOr<PeerOutbox> PeerOutbox::Map(Fd memfd, const OutboxLayout& layout) {
  SLUICE_RETURN_IF_ERROR(Validate(layout));
  SLUICE_ASSIGN_OR_RETURN(Region region,
                          Region::Map(std::move(memfd), layout.bytes, Access::kReadOnly, Sharing::kOneWriter));
  return PeerOutbox(layout, std::move(region));
}

absl::Span<const std::byte> PeerOutbox::lane(const LanePlace& place) const {
  return region_.bytes().subspan(place.offset, place.bytes());
}

absl::Span<const std::atomic<uint32_t>> PeerOutbox::counters() const {
  return absl::MakeConstSpan(reinterpret_cast<const std::atomic<uint32_t>*>(region_.data() + layout_.counters_offset),
                             kLoanSlots);
}

const std::atomic<uint32_t>& PeerOutbox::retired() const {
  return *reinterpret_cast<const std::atomic<uint32_t>*>(region_.data());
}

const std::atomic<uint32_t>& PeerOutbox::wants_bell() const {
  return *reinterpret_cast<const std::atomic<uint32_t>*>(region_.data() + kWantsBellOffset);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
