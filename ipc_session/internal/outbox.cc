#include "ipc_session/internal/outbox.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_session/internal/limits.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kHeaderBytes = kPageBytes;
constexpr uint64_t kCounterBytes = kLoanSlots * sizeof(std::atomic<uint32_t>);
constexpr uint64_t kMaxBytes = kHeaderBytes + kCounterBytes + kMaxChannels * LaneBytes(kMaxRingBytes);
static_assert(kCounterBytes % kPageBytes == 0 && kLaneControlBytes % kPageBytes == 0);
static_assert(kMaxBytes <= Region::kMaxBytes);
static_assert(std::atomic<uint32_t>::is_always_lock_free);

struct Part {
  uint64_t offset;
  uint64_t bytes;
};

Part Counters(const OutboxLayout& layout) { return {layout.counters_offset, kCounterBytes}; }
Part Lanes(const OutboxLayout& layout) { return {layout.lanes_offset, layout.lanes * LaneBytes(layout.ring_bytes)}; }

bool LiesIn(Part part, uint64_t bytes) {
  return part.offset % kPageBytes == 0 && part.offset <= bytes && part.bytes <= bytes - part.offset;
}

bool AreApart(Part a, Part b) { return a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset; }

size_t LaneOffset(const OutboxLayout& layout, size_t index) {
  return layout.lanes_offset + index * LaneBytes(layout.ring_bytes);
}

}  // namespace

OutboxLayout OutboxLayout::For(size_t ring_bytes) {
  return {.bytes = kHeaderBytes + kCounterBytes + kMaxChannels * LaneBytes(ring_bytes),
          .counters_offset = kHeaderBytes,
          .lanes_offset = kHeaderBytes + kCounterBytes,
          .ring_bytes = ring_bytes,
          .lanes = kMaxChannels,
          .loan_slots = kLoanSlots};
}

absl::Status Validate(const OutboxLayout& layout) {
  const bool sizes_can_be = layout.bytes <= kMaxBytes && layout.bytes % kPageBytes == 0 &&
                            IsValidRingBytes(layout.ring_bytes) && layout.lanes <= kMaxChannels &&
                            layout.loan_slots == kLoanSlots;
  if (sizes_can_be && LiesIn(Counters(layout), layout.bytes) && LiesIn(Lanes(layout), layout.bytes) &&
      AreApart(Counters(layout), Lanes(layout))) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("the peer's outbox cannot be: ", layout.bytes, " bytes, ", layout.loan_slots,
                                          " counters at ", layout.counters_offset, ", ", layout.lanes, " lanes of ",
                                          layout.ring_bytes, " bytes at ", layout.lanes_offset));
}

absl::StatusOr<OwnOutbox> OwnOutbox::Create(size_t ring_bytes) {
  const OutboxLayout layout = OutboxLayout::For(ring_bytes);
  SLUICE_ASSIGN_OR_RETURN(Region region, Region::Create("sluice-outbox", layout.bytes, Sharing::kOneWriter));
  return OwnOutbox(layout, std::move(region));
}

void OwnOutbox::InitLanes(size_t count) const {
  for (size_t i = 0; i < count; ++i) InitLane(lane(i));
}

absl::Span<std::byte> OwnOutbox::lane(size_t index) const {
  return region_.bytes().subspan(LaneOffset(layout_, index), LaneBytes(layout_.ring_bytes));
}

absl::Span<std::atomic<uint32_t>> OwnOutbox::counters() const {
  return absl::MakeSpan(reinterpret_cast<std::atomic<uint32_t>*>(region_.data() + layout_.counters_offset), kLoanSlots);
}

absl::StatusOr<PeerOutbox> PeerOutbox::Map(Fd memfd, const OutboxLayout& layout) {
  SLUICE_RETURN_IF_ERROR(Validate(layout));
  SLUICE_ASSIGN_OR_RETURN(Region region,
                          Region::Map(std::move(memfd), layout.bytes, Access::kReadOnly, Sharing::kOneWriter));
  return PeerOutbox(layout, std::move(region));
}

absl::Span<const std::byte> PeerOutbox::lane(size_t index) const {
  return region_.bytes().subspan(LaneOffset(layout_, index), LaneBytes(layout_.ring_bytes));
}

absl::Span<const std::atomic<uint32_t>> PeerOutbox::counters() const {
  return absl::MakeConstSpan(reinterpret_cast<const std::atomic<uint32_t>*>(region_.data() + layout_.counters_offset),
                             kLoanSlots);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
