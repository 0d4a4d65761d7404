// The writing side of a ring of records.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_RING_SENDER_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_RING_SENDER_H_

#include <cstddef>
#include <cstdint>

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

// Writes this side's lane, reads the peer's control. One thread at a time. Lanes and link outlive it.
class RingSender {
 public:
  RingSender(OwnLane own, PeerLane peer, Link& link, uint32_t channel);

  size_t max_payload() const { return MaxRecordPayload(own_.ring.size()); }

  // Writes one record of `bytes` <= `max_payload()` from `parts`. False: no room; then the peer's next read is
  // announced by a doorbell. DATA_LOSS: the peer's read position cannot be.
  absl::StatusOr<bool> TrySend(absl::Span<const Blob> parts, size_t bytes, absl::Span<const FdView> descriptors);

  // Whether there may be room for what was last refused.
  bool HasRoom();

  // Asks anew for a doorbell when there is room.
  void WantRoom();

  // Publishes that no record follows.
  void Finish();

 private:
  // Bytes that are free, as last read; reads the peer's position anew when that is less than `wanted`.
  absl::StatusOr<size_t> FreeBytes(size_t wanted);
  std::atomic<uint64_t>& CommitWordAt(uint64_t position);
  void WakeReceiver();

  const OwnLane own_;
  const PeerLane peer_;
  Link& link_;
  const uint32_t channel_;

  uint64_t position_ = 0;       // Where the next record goes.
  uint64_t read_position_ = 0;  // The peer's, as last read.
  size_t refused_bytes_ = 0;    // What the last refused record needs.
  bool room_wanted_ = false;
  uint32_t rung_for_ = 0;  // The receiver's last sleep that was ended by a doorbell.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_RING_SENDER_H_
