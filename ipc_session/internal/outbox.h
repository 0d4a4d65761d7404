// The outboxes of a session: what each side publishes to the other.

#ifndef SLUICE_IPC_SESSION_INTERNAL_OUTBOX_H_
#define SLUICE_IPC_SESSION_INTERNAL_OUTBOX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_util/fd.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A lane (ring_layout.h) in an outbox: one side's half of a ring channel.
struct LanePlace {
  uint64_t offset = 0;
  uint64_t ring_bytes = 0;

  uint64_t bytes() const { return LaneBytes(ring_bytes); }

  friend bool operator==(const LanePlace&, const LanePlace&) = default;
};

// Where things lie in an outbox: a page that begins with the word `retired`, has `wants_bell` in its next line and is
// zero otherwise, the release counters, and from `lanes_offset` to the end room for lanes. Those of the channels that
// the session starts with lie there one behind another; the owner places those of later ones, and tells the peer. A
// page that nobody touches takes no memory. The numbers travel in the login; nothing is read from the peer's memory to
// find them.
struct OutboxLayout {
  uint64_t bytes = 0;
  uint64_t counters_offset = 0;
  uint64_t lanes_offset = 0;
  uint64_t ring_bytes = 0;  // Of the channels that the session starts with.
  uint32_t loan_slots = 0;
  uint32_t reserved = 0;

  // The one that this side makes, of `bytes` in all, rounded up to whole pages; 0: 64 MiB, or what `channels` rings and
  // a few more take.
  static OutboxLayout For(uint64_t bytes, uint64_t ring_bytes, uint64_t channels);

  // How many channels a session can start with.
  uint64_t capacity() const { return (bytes - lanes_offset) / LaneBytes(ring_bytes); }
  LanePlace first_lane(size_t index) const { return {lanes_offset + index * LaneBytes(ring_bytes), ring_bytes}; }

  friend bool operator==(const OutboxLayout&, const OutboxLayout&) = default;
};

// The one step between a peer's numbers and their use: DATA_LOSS unless all parts lie inside `bytes`, apart from each
// other, and are of sizes that can be.
absl::Status Validate(const OutboxLayout& layout);

// The same for a lane that the peer placed in its outbox, of a valid `layout`.
absl::Status Validate(const LanePlace& lane, const OutboxLayout& layout);

// This side's: made and sealed; only this process writes it.
class OwnOutbox {
 public:
  // `layout` is one `For` this side. Errors as of `Region::Create`.
  static absl::StatusOr<OwnOutbox> Create(const OutboxLayout& layout);

  const OutboxLayout& layout() const { return layout_; }
  // Makes the lanes of `count` channels to start with ready; before the peer looks at them.
  void InitLanes(size_t count) const;
  // Makes the lane of a later channel ready, whatever was in it; before the peer looks at it.
  void RenewLane(const LanePlace& place) const;
  // For the peer.
  absl::StatusOr<Fd> OpenReadOnly() const { return region_.OpenReadOnly(); }
  absl::Span<std::byte> lane(const LanePlace& place) const;
  absl::Span<std::atomic<uint32_t>> counters() const;
  // See ReleaseCounters.
  std::atomic<uint32_t>& retired() const;
  std::atomic<uint32_t>& wants_bell() const;

 private:
  OwnOutbox(OutboxLayout layout, Region region) : layout_(layout), region_(std::move(region)) {}

  OutboxLayout layout_;
  Region region_;
};

// The other side's, mapped for reading.
class PeerOutbox {
 public:
  // DATA_LOSS: `layout` or `memfd` is not what it must be.
  static absl::StatusOr<PeerOutbox> Map(Fd memfd, const OutboxLayout& layout);

  const OutboxLayout& layout() const { return layout_; }
  // `place` is valid.
  absl::Span<const std::byte> lane(const LanePlace& place) const;
  absl::Span<const std::atomic<uint32_t>> counters() const;
  const std::atomic<uint32_t>& retired() const;
  const std::atomic<uint32_t>& wants_bell() const;

 private:
  PeerOutbox(OutboxLayout layout, Region region) : layout_(layout), region_(std::move(region)) {}

  OutboxLayout layout_;
  Region region_;
};

// Both, kept as long as anything of a session points into them.
struct Outboxes {
  OwnOutbox own;
  PeerOutbox peer;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_OUTBOX_H_
