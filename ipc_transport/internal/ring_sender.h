// The writing side of a ring of records.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_RING_SENDER_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_RING_SENDER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Writes this side's lane, reads the peer's control, which is hostile memory. One thread at a time. Lanes and link
// outlive it.
class RingSender {
 public:
  // What the peer has to hold open for a ring whose records it does not read; beyond, there is no room.
  static constexpr size_t kMaxDescriptorsInFlight = 128;

  RingSender(OwnLane own, PeerLane peer, Link& link, uint32_t channel);

  size_t max_payload() const { return max_payload_; }

  // Writes one record of `bytes` <= `max_payload()` from `parts`. False: no room, and the wish `kWanted` stands.
  // DATA_LOSS: the peer's read position cannot be. As `Link::SendDescriptors` if there are descriptors.
  absl::StatusOr<bool> TrySend(absl::Span<const Blob> parts, size_t bytes, absl::Span<const FdView> descriptors);

  // Whether there may be room for what was last refused; before, for the smallest record.
  bool HasRoom();

  // Whether there is also room for many more, so that a stream need not stop for each record.
  bool HasAmpleRoom();

  // Tells the peer's receiver; ask `HasRoom` afterwards.
  void Wish(RoomWish wish);

  // The link, not the ring, had no room for what was last refused; no event tells when it has.
  bool link_was_full() const { return link_was_full_; }

  // Publishes that no record follows.
  void Finish();

 private:
  struct DescriptorsInFlight {
    uint64_t end;  // Of the record that announces them.
    size_t count;
  };

  size_t FreeBytes() const { return own_.ring.size() - (position_ - read_position_); }
  // Room for `needed_` and for `descriptors`, as last read.
  bool Fits(size_t descriptors) const;
  // Reads the peer's position anew. DATA_LOSS: it cannot be.
  absl::Status ReadPosition();
  // Waits for nothing; false, with a wish for room, when what is needed does not fit.
  absl::StatusOr<bool> MakeRoom(size_t descriptors);
  absl::StatusOr<bool> SendDescriptors(uint64_t start, uint64_t end, absl::Span<const FdView> descriptors);
  std::atomic<uint64_t>& CommitWordAt(uint64_t position);
  void WakeReceiver();

  const OwnLane own_;
  const PeerLane peer_;
  Link& link_;
  const uint32_t channel_;

  const size_t max_payload_;

  uint64_t position_ = 0;                 // Where the next record goes.
  uint64_t read_position_ = 0;            // The peer's, as last read.
  size_t needed_ = 2 * kRecordAlignment;  // By the record that was last tried: itself, and the line after it.
  size_t needed_descriptors_ = 0;         // The same.
  RoomWish wish_ = RoomWish::kNone;       // As published.
  bool link_was_full_ = false;
  uint32_t rung_for_ = 0;  // The receiver's last sleep that was ended by a doorbell.
  std::deque<DescriptorsInFlight> in_flight_;
  size_t descriptors_in_flight_ = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_RING_SENDER_H_
