#include "ipc_transport/internal/ring_receiver.h"

#include <iterator>

#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/copy_bytes.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
RingReceiver::RingReceiver(OwnLane own, PeerLane peer, Link& link, uint32_t channel)
    : own_(own),
      peer_(peer),
      link_(link),
      channel_(channel),
      max_payload_(MaxRecordPayload(own.ring.size(), peer.ring.size())) {}

absl::StatusOr<std::optional<size_t>> RingReceiver::TryReceive(absl::Span<std::byte> buffer,
                                                               std::vector<Fd>* descriptors) {
  const std::optional<Record> record = NextRecord();
  if (ABSL_PREDICT_FALSE(!record.has_value())) {
    SLUICE_RETURN_IF_ERROR(WhyNoRecord());
    return std::nullopt;
  }
  if (record->bytes > buffer.size()) return BufferTooSmall(record->bytes, buffer.size());
  if (ABSL_PREDICT_FALSE(record->descriptors != 0)) SLUICE_RETURN_IF_ERROR(TakeDescriptors(*record, descriptors));
  CopyBytes(buffer.data(), record->payload, record->bytes);
  Advance(RecordBytes(record->bytes));
  return record->bytes;
}

absl::StatusOr<std::optional<absl::Span<const std::byte>>> RingReceiver::TryPeek(std::vector<Fd>* descriptors) {
  if (peeked_position_ != position_) {
    const std::optional<Record> record = NextRecord();
    if (!record.has_value()) {
      SLUICE_RETURN_IF_ERROR(WhyNoRecord());
      return std::nullopt;
    }
    if (record->descriptors != 0) SLUICE_RETURN_IF_ERROR(TakeDescriptors(*record, descriptors));
    peeked_position_ = position_;
    peeked_bytes_ = record->bytes;
  }
  return peer_.ring.subspan((position_ & (peer_.ring.size() - 1)) + kCommitBytes, peeked_bytes_);
}

absl::StatusOr<size_t> RingReceiver::ReleasePeeked() {
  if (peeked_position_ != position_) return NothingPeeked();
  Advance(RecordBytes(peeked_bytes_));
  return peeked_bytes_;
}

std::optional<RingReceiver::Record> RingReceiver::NextRecord() {
  if (ABSL_PREDICT_FALSE(!broken_.ok())) return std::nullopt;
  uint64_t bits = Poll(std::memory_order_acquire);  // Pairs with the commit in RingSender::Publish.
  size_t offset = position_ & (peer_.ring.size() - 1);
  if (bits == Encode({.kind = RecordKind::kSkip}) && offset != 0) {
    Advance(peer_.ring.size() - offset);
    offset = 0;
    bits = Poll(std::memory_order_acquire);  // As above.
  }
  if (bits == 0) return std::nullopt;
  // The one step that a commit word of the peer goes through before it is used.
  const CommitWord word = DecodeCommitWord(bits);
  if (word.reserved != 0 || word.kind != RecordKind::kData || word.bytes > max_payload_ ||
      word.descriptors > kMaxDescriptors || RecordBytes(word.bytes) > peer_.ring.size() - offset) {
    Break(bits);
    return std::nullopt;
  }
  return Record{
      .payload = peer_.ring.data() + offset + kCommitBytes, .bytes = word.bytes, .descriptors = word.descriptors};
}

absl::Status RingReceiver::WhyNoRecord() {
  if (!broken_.ok()) return broken_;
  if (published_ != position_) PublishPosition();
  // Pairs with RingSender::Finish. Nothing is committed beyond it.
  if (peer_.control.finish_position.load(std::memory_order_acquire) == position_) return PeerFinished();
  return absl::OkStatus();
}

absl::Status RingReceiver::TakeDescriptors(const Record& record, std::vector<Fd>* descriptors) {
  if (peeked_position_ == position_) return absl::OkStatus();
  absl::StatusOr<std::vector<Fd>> taken = link_.TakeDescriptors(channel_, position_, record.descriptors);
  if (!taken.ok()) return broken_ = taken.status();
  if (descriptors != nullptr) {
    descriptors->insert(descriptors->end(), std::make_move_iterator(taken->begin()),
                        std::make_move_iterator(taken->end()));
  }
  return absl::OkStatus();
}

void RingReceiver::Break(uint64_t bits) {
  peeked_position_ = kNothingPeeked;
  const CommitWord word = DecodeCommitWord(bits);
  broken_ = absl::DataLossError(absl::StrCat("the peer wrote a record that cannot be: ", word.bytes, " bytes, kind ",
                                             static_cast<int>(word.kind), ", ", static_cast<int>(word.descriptors),
                                             " descriptors, at position ", position_, " of a ring of ",
                                             peer_.ring.size(), " bytes"));
}

void RingReceiver::Advance(size_t bytes) {
  position_ += bytes;
  const uint32_t wish = peer_.control.room_wish.load(std::memory_order_relaxed);  // A hint: WhyNoRecord looks again.
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

void RingReceiver::BeginSleep() {
  const uint32_t sleep = own_.control.receive_sleep.load(std::memory_order_relaxed);  // Only this thread stores it.
  // Ordered before the look at the ring; pairs with RingSender::WakeReceiver.
  own_.control.receive_sleep.store(sleep + 1 + (sleep & 1), std::memory_order_seq_cst);
}

void RingReceiver::EndSleep() {
  const uint32_t sleep = own_.control.receive_sleep.load(std::memory_order_relaxed);  // Only this thread stores it.
  own_.control.receive_sleep.store(sleep + 1, std::memory_order_relaxed);             // A late reader rings in vain.
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
