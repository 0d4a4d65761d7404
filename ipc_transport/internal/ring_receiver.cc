#include "ipc_transport/internal/ring_receiver.h"

#include <cstring>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/descriptors.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// A commit word that has been checked against the ring.
struct Record {
  size_t payload_bytes;
  size_t descriptors;
};

// The one step that a commit word of the peer goes through before it is used.
std::optional<Record> Validate(CommitWord word, size_t max_payload, size_t bytes_to_end) {
  if (word.reserved != 0 || word.kind != RecordKind::kData) return std::nullopt;
  if (word.bytes > max_payload || word.descriptors > kMaxDescriptors) return std::nullopt;
  if (RecordBytes(word.bytes) > bytes_to_end) return std::nullopt;
  return Record{.payload_bytes = word.bytes, .descriptors = word.descriptors};
}

}  // namespace

RingReceiver::RingReceiver(OwnLane own, PeerLane peer, Link& link, uint32_t channel)
    : own_(own),
      peer_(peer),
      link_(link),
      channel_(channel),
      max_payload_(MaxRecordPayload(own.ring.size(), peer.ring.size())) {}

absl::StatusOr<std::optional<size_t>> RingReceiver::TryReceive(absl::Span<std::byte> buffer,
                                                               std::vector<Fd>* descriptors) {
  if (!broken_.ok()) return broken_;
  uint64_t bits = Poll(std::memory_order_acquire);  // Pairs with the commit in RingSender::TrySend.
  if (bits == 0) return Empty();
  size_t offset = position_ & (peer_.ring.size() - 1);
  if (bits == Encode({.kind = RecordKind::kSkip}) && offset != 0) {
    Release(peer_.ring.size() - offset);
    offset = 0;
    bits = Poll(std::memory_order_acquire);  // As above: the skip came before it.
    if (bits == 0) return Empty();
  }
  const std::optional<Record> record = Validate(DecodeCommitWord(bits), max_payload_, peer_.ring.size() - offset);
  if (!record.has_value()) return Broken(bits);
  if (record->payload_bytes > buffer.size()) return BufferTooSmall(record->payload_bytes, buffer.size());
  if (record->descriptors != 0) {
    absl::StatusOr<std::vector<Fd>> taken = link_.TakeDescriptors(channel_, position_, record->descriptors);
    if (!taken.ok()) return broken_ = taken.status();
    if (descriptors != nullptr) {
      descriptors->insert(descriptors->end(), std::make_move_iterator(taken->begin()),
                          std::make_move_iterator(taken->end()));
    }
  }
  if (record->payload_bytes != 0) {
    std::memcpy(buffer.data(), peer_.ring.data() + offset + kCommitBytes, record->payload_bytes);
  }
  Release(RecordBytes(record->payload_bytes));
  return record->payload_bytes;
}

absl::StatusOr<std::optional<size_t>> RingReceiver::Empty() {
  if (published_ != position_) PublishPosition();
  // Pairs with RingSender::Finish. Nothing is committed beyond it.
  if (peer_.control.finish_position.load(std::memory_order_acquire) == position_) {
    return absl::OutOfRangeError("the peer has finished sending");
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<size_t>> RingReceiver::Broken(uint64_t bits) {
  const CommitWord word = DecodeCommitWord(bits);
  return broken_ = absl::DataLossError(absl::StrCat("the peer wrote a record that cannot be: ", word.bytes,
                                                    " bytes, kind ", static_cast<int>(word.kind), ", ",
                                                    static_cast<int>(word.descriptors), " descriptors, at position ",
                                                    position_, " of a ring of ", peer_.ring.size(), " bytes"));
}

void RingReceiver::Release(size_t bytes) {
  position_ += bytes;
  const uint32_t wish = peer_.control.room_wish.load(std::memory_order_relaxed);  // A hint: Empty() looks again.
  if ((wish & kRoomWantedBit) != 0 || position_ - published_ >= peer_.ring.size() / 4) PublishPosition();
}

void RingReceiver::PublishPosition() {
  published_ = position_;
  // Releases the bytes, and is ordered before the look at the wish. Pairs with RingSender::ReadPosition.
  own_.control.read_position.store(position_, std::memory_order_seq_cst);
  const uint32_t wish = peer_.control.room_wish.load(std::memory_order_seq_cst);  // Pairs with RingSender::Wish.
  if ((wish & kRoomAsleepBit) == 0 || wish == rung_for_) return;
  rung_for_ = wish;
  link_.RingDoorbell();
}

bool RingReceiver::HasNews() const {
  // Ordered after BeginSleep's store; pairs with the commit in RingSender::TrySend.
  return Poll(std::memory_order_seq_cst) != 0 || PeerHasClosed() ||
         peer_.control.finish_position.load(std::memory_order_acquire) == position_;  // Pairs with RingSender::Finish.
}

void RingReceiver::BeginSleep() {
  const uint32_t sleep = own_.control.receive_sleep.load(std::memory_order_relaxed);  // Only this thread stores it.
  // Ordered before the look at the ring; pairs with RingSender::WakeReceiver.
  own_.control.receive_sleep.store(sleep + 1, std::memory_order_seq_cst);
}

void RingReceiver::EndSleep() {
  const uint32_t sleep = own_.control.receive_sleep.load(std::memory_order_relaxed);  // Only this thread stores it.
  own_.control.receive_sleep.store(sleep + 1, std::memory_order_relaxed);             // A late reader rings in vain.
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
