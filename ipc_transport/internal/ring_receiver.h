// The reading side of a ring of records.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_RING_RECEIVER_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_RING_RECEIVER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Reads the peer's lane, which is hostile memory, and writes this side's control. One thread at a time. Lanes and link
// outlive it.
class RingReceiver {
 public:
  RingReceiver(OwnLane own, PeerLane peer, Link& link, uint32_t channel);

  // As `Pipe::TryReceive`, without the end of the link. After DATA_LOSS it returns that for ever.
  absl::StatusOr<std::optional<size_t>> TryReceive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors);

  // As `Pipe::TryPeek` and `Pipe::Release`, in the same way.
  absl::StatusOr<std::optional<absl::Span<const std::byte>>> TryPeek(std::vector<Fd>* descriptors);
  absl::StatusOr<size_t> ReleasePeeked();

  // Whether a record can be seen.
  bool HasRecord() const {
    return Poll(std::memory_order_acquire) != 0;  // Pairs with the commit in RingSender::Publish.
  }

  // Whether a record, the peer's finish or its close can be seen.
  bool HasNews() const {
    // Ordered after BeginSleep's store; pairs with the commit in RingSender::Publish.
    return Poll(std::memory_order_seq_cst) != 0 || PeerHasClosed() ||
           peer_.control.finish_position.load(std::memory_order_acquire) ==
               position_;  // Pairs with RingSender::Finish.
  }

  // Around a sleep: `BeginSleep`, then `HasNews` once more, then sleep, then `EndSleep`. Each `BeginSleep` is one more
  // sleep, which the peer ends by one doorbell.
  void BeginSleep();
  void EndSleep();
  // Between the two.
  bool IsAsleep() const {
    return (own_.control.receive_sleep.load(std::memory_order_relaxed) & 1) != 0;  // Only this thread stores it.
  }

  // Where the next record is.
  uint64_t position() const { return position_; }

  // The peer has closed the channel; what it sent before can be seen.
  bool PeerHasClosed() const {
    return peer_.control.closed.load(std::memory_order_acquire) != 0;  // Pairs with RingPipe::Close.
  }

 private:
  static constexpr uint64_t kNothingPeeked = ~uint64_t{0};

  // A commit word that has been checked against the ring.
  struct Record {
    const std::byte* payload;
    size_t bytes;
    size_t descriptors;
  };

  // The next record; nullopt: there is none, or none that can be. Then `WhyNoRecord` tells the end, or OK for none yet.
  std::optional<Record> NextRecord();
  absl::Status WhyNoRecord();
  absl::Status TakeDescriptors(const Record& record, std::vector<Fd>* descriptors);
  void Break(uint64_t bits);
  // The commit word at `position_`. The line behind it is on its way by the time that the word is seen.
  uint64_t Poll(std::memory_order order) const {
    const std::byte* const word = peer_.ring.data() + (position_ & (peer_.ring.size() - 1));
    __builtin_prefetch(word + kRecordAlignment);
    return reinterpret_cast<const std::atomic<uint64_t>*>(word)->load(order);
  }
  void Advance(size_t bytes);
  // Lets the peer's sender have what was read, and wakes it if it waits.
  void PublishPosition();

  const OwnLane own_;
  const PeerLane peer_;
  Link& link_;
  const uint32_t channel_;
  const size_t max_payload_;

  uint64_t position_ = 0;   // Where the next record is.
  uint64_t published_ = 0;  // What the peer knows of `position_`.
  // The record that was peeked at, if it is still the next: where it is, and its payload. Its descriptors are taken.
  uint64_t peeked_position_ = kNothingPeeked;
  size_t peeked_bytes_ = 0;
  uint32_t rung_for_ = 0;  // The sender's last wish for room that was answered by a doorbell.
  absl::Status broken_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_RING_RECEIVER_H_
