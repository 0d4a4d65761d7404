// The writing side of a ring of records.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_RING_SENDER_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_RING_SENDER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

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

  // Writes as many records as have room, each of at most `max_payload()`, and publishes them at once; returns how many.
  // Fewer than all: try the rest. 0: as `TrySend` with false. DATA_LOSS: as above.
  absl::StatusOr<size_t> TrySendBatch(absl::Span<const Blob> messages);

  // Room in the ring for a record of `bytes` <= `max_payload()`, until `TryCommit` or any other call that sends.
  // nullopt: as `TrySend` with false. DATA_LOSS: as above.
  absl::StatusOr<std::optional<absl::Span<std::byte>>> TryReserve(size_t bytes);

  // Publishes the first `bytes` <= `*reserved_bytes()` of it. As `TrySend`, but what is reserved stays so.
  absl::StatusOr<bool> TryCommit(size_t bytes, absl::Span<const FdView> descriptors);

  // What is reserved.
  std::optional<size_t> reserved_bytes() const { return reserved_bytes_; }

  // Bytes of the ring that the peer has not taken yet. Any thread.
  uint64_t UnreadBytes() const;

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

  uint64_t position() const { return position_.load(std::memory_order_relaxed); }  // Only this thread stores it.
  size_t FreeBytes() const { return own_.ring.size() - (position() - read_position_); }
  // How many bytes before a record at `from` stay unused, as it does not fit before the ring's end.
  size_t SkipBefore(uint64_t from, size_t record) const;
  // Room for `needed_` and for `descriptors`, as last read.
  bool Fits(size_t descriptors) const;
  // Reads the peer's position anew. DATA_LOSS: it cannot be.
  absl::Status ReadPosition();
  // Waits for nothing; false, with a wish for room, when what is needed does not fit.
  absl::StatusOr<bool> MakeRoom(size_t descriptors);
  // Whether there is room for a record of `bytes` and its descriptors, as last read; the one that `HasRoom` is about.
  bool HasRoomFor(size_t bytes, size_t descriptors);
  // Publishes the record whose payload is in its place, after its descriptors. False: the link had no room for those.
  absl::StatusOr<bool> Commit(size_t bytes, size_t skipped, absl::Span<const FdView> descriptors);
  absl::StatusOr<bool> SendDescriptors(uint64_t start, uint64_t end, absl::Span<const FdView> descriptors);
  std::atomic<uint64_t>& CommitWordAt(uint64_t position);
  std::byte* PayloadAt(uint64_t start) { return own_.ring.data() + Offset(start) + kCommitBytes; }
  size_t Offset(uint64_t position) const { return position & (own_.ring.size() - 1); }
  // Writes the words around a record that stands at `from` + `skipped`. The word at `from` is returned, the others are
  // stored: nobody looks at them before that one is published.
  uint64_t WriteWords(uint64_t from, size_t skipped, CommitWord word);
  // Publishes everything from the position to `end`, the first word of which is `word`, and wakes the reader.
  void Publish(uint64_t word, uint64_t end);
  void WakeReceiver();

  const OwnLane own_;
  const PeerLane peer_;
  Link& link_;
  const uint32_t channel_;

  const size_t max_payload_;

  std::atomic<uint64_t> position_{0};     // Where the next record goes; relaxed, for `UnreadBytes`.
  uint64_t read_position_ = 0;            // The peer's, as last read.
  size_t needed_ = 2 * kRecordAlignment;  // By the record that was last tried: itself, and the line after it.
  size_t needed_descriptors_ = 0;         // The same.
  std::optional<size_t> reserved_bytes_;
  RoomWish wish_ = RoomWish::kNone;  // As published.
  bool link_was_full_ = false;
  uint32_t rung_for_ = 0;  // The receiver's last sleep that was ended by a doorbell.
  std::deque<DescriptorsInFlight> in_flight_;
  size_t descriptors_in_flight_ = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_RING_SENDER_H_
