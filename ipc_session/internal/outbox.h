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
#include "ipc_util/fd.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Where things lie in an outbox: a page that is left zero, the release counters, and a lane (ring_layout.h) for each
// channel that a session can ever have. The client does not know how many channels the server wants when it sends its
// outbox, and a page that nobody touches takes no memory: so there is room for all of them. The numbers travel in the
// login; nothing is read from the peer's memory to find them.
struct OutboxLayout {
  uint64_t bytes = 0;
  uint64_t counters_offset = 0;
  uint64_t lanes_offset = 0;
  uint64_t ring_bytes = 0;
  uint32_t lanes = 0;
  uint32_t loan_slots = 0;

  // The one that this side makes.
  static OutboxLayout For(size_t ring_bytes);

  friend bool operator==(const OutboxLayout&, const OutboxLayout&) = default;
};

// The one step between a peer's numbers and their use: DATA_LOSS unless all parts lie inside `bytes`, apart from each
// other, and are of sizes that can be.
absl::Status Validate(const OutboxLayout& layout);

// This side's: made and sealed; only this process writes it.
class OwnOutbox {
 public:
  // `ring_bytes` is valid. Errors as of `Region::Create`.
  static absl::StatusOr<OwnOutbox> Create(size_t ring_bytes);

  const OutboxLayout& layout() const { return layout_; }
  // Makes the first `count` lanes ready; before the peer looks at them.
  void InitLanes(size_t count) const;
  // For the peer.
  absl::StatusOr<Fd> OpenReadOnly() const { return region_.OpenReadOnly(); }
  absl::Span<std::byte> lane(size_t index) const;
  absl::Span<std::atomic<uint32_t>> counters() const;

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

  absl::Span<const std::byte> lane(size_t index) const;
  absl::Span<const std::atomic<uint32_t>> counters() const;

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
