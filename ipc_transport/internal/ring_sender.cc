#include "ipc_transport/internal/ring_sender.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

RingSender::RingSender(OwnLane own, PeerLane peer, Link& link, uint32_t channel)
    : own_(own), peer_(peer), link_(link), channel_(channel) {}

std::atomic<uint64_t>& RingSender::CommitWordAt(uint64_t position) {
  return *reinterpret_cast<std::atomic<uint64_t>*>(own_.ring.data() + (position & (own_.ring.size() - 1)));
}

absl::StatusOr<size_t> RingSender::FreeBytes(size_t wanted) {
  const size_t known = own_.ring.size() - (position_ - read_position_);
  if (known >= wanted) return known;
  // Pairs with the peer's store in RingReceiver::PublishPosition; sequentially consistent with our `room_wanted`.
  const uint64_t read = peer_.control.read_position.load(std::memory_order_seq_cst);
  if (read < read_position_ || read > position_) {
    return absl::DataLossError(
        absl::StrCat("the peer's read position ", read, " lies outside ", read_position_, " to ", position_));
  }
  read_position_ = read;
  return own_.ring.size() - (position_ - read_position_);
}

absl::StatusOr<bool> RingSender::TrySend(absl::Span<const Blob> parts, size_t bytes,
                                         absl::Span<const FdView> descriptors) {
  const size_t record = RecordBytes(bytes);
  const size_t to_end = own_.ring.size() - (position_ & (own_.ring.size() - 1));
  const size_t skipped = record > to_end ? to_end : 0;
  // One line stays free for the commit word after the record.
  const size_t needed = skipped + record + kRecordAlignment;
  absl::StatusOr<size_t> free = FreeBytes(needed);
  if (free.ok() && *free < needed) {
    refused_bytes_ = needed;
    WantRoom();
    free = FreeBytes(needed);
  }
  if (!free.ok()) return free.status();
  if (*free < needed) return false;
  if (room_wanted_) {
    room_wanted_ = false;
    const uint32_t wanted = own_.control.room_wanted.load(std::memory_order_relaxed);  // Only this thread stores it.
    own_.control.room_wanted.store(wanted + 1, std::memory_order_relaxed);             // A late reader rings in vain.
  }

  const uint64_t start = position_ + skipped;
  if (!descriptors.empty()) {
    const absl::StatusOr<bool> sent = link_.SendDescriptors(channel_, start, descriptors);
    if (!sent.ok() || !*sent) return sent;
  }
  const uint64_t end = start + record;
  CommitWordAt(end).store(0, std::memory_order_relaxed);  // Seen by whoever sees a commit below.
  if (skipped != 0) {
    CommitWordAt(start).store(0, std::memory_order_relaxed);
    CommitWordAt(position_).store(Encode({.kind = RecordKind::kSkip}), std::memory_order_release);
  }
  std::byte* to = own_.ring.data() + (start & (own_.ring.size() - 1)) + kCommitBytes;
  for (const Blob& part : parts) {
    if (!part.empty()) std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  // Publishes the payload, and is ordered before the look at the sleep word. Pairs with RingReceiver's loads.
  CommitWordAt(start).store(
      Encode({.bytes = static_cast<uint32_t>(bytes), .descriptors = static_cast<uint8_t>(descriptors.size())}),
      std::memory_order_seq_cst);
  position_ = end;
  WakeReceiver();
  return true;
}

void RingSender::WakeReceiver() {
  // Ordered after the commit; pairs with RingReceiver::BeginSleep.
  const uint32_t sleep = peer_.control.receive_sleep.load(std::memory_order_seq_cst);
  if ((sleep & 1) == 0 || sleep == rung_for_) return;
  rung_for_ = sleep;
  link_.RingDoorbell();
}

bool RingSender::HasRoom() {
  const absl::StatusOr<size_t> free = FreeBytes(refused_bytes_);
  return !free.ok() || *free >= refused_bytes_;  // An error is worth another attempt: it reports it.
}

void RingSender::WantRoom() {
  const uint32_t wanted = own_.control.room_wanted.load(std::memory_order_relaxed);  // Only this thread stores it.
  room_wanted_ = true;
  // A new odd value. Ordered before the next look at the read position; pairs with RingReceiver::PublishPosition.
  own_.control.room_wanted.store((wanted | 1) + ((wanted & 1) != 0 ? 2 : 0), std::memory_order_seq_cst);
}

void RingSender::Finish() {
  own_.control.finish_position.store(position_, std::memory_order_release);  // Pairs with RingReceiver::TryReceive.
  // The receiver may have gone to sleep before it saw this; one doorbell more costs nothing here.
  link_.RingDoorbell();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
