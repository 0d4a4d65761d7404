#include "ipc_transport/internal/ring_sender.h"

#include <algorithm>

#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/copy_bytes.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

RingSender::RingSender(OwnLane own, PeerLane peer, Link& link, uint32_t channel)
    : own_(own),
      peer_(peer),
      link_(link),
      channel_(channel),
      max_payload_(MaxRecordPayload(own.ring.size(), peer.ring.size())) {}

std::atomic<uint64_t>& RingSender::CommitWordAt(uint64_t position) {
  return *reinterpret_cast<std::atomic<uint64_t>*>(own_.ring.data() + Offset(position));
}

size_t RingSender::SkipBefore(uint64_t from, size_t record) const {
  const size_t to_end = own_.ring.size() - Offset(from);
  return record > to_end ? to_end : 0;
}

absl::Status RingSender::ReadPosition() {
  // Pairs with the peer's store in RingReceiver::PublishPosition; sequentially consistent with our wish.
  const uint64_t read = peer_.control.read_position.load(std::memory_order_seq_cst);
  // The one step that the peer's position goes through before it is used.
  if (read < read_position_ || read > position()) {
    return absl::DataLossError(
        absl::StrCat("the peer's read position ", read, " lies outside ", read_position_, " to ", position()));
  }
  read_position_ = read;
  while (!in_flight_.empty() && in_flight_.front().end <= read) {
    descriptors_in_flight_ -= in_flight_.front().count;
    in_flight_.pop_front();
  }
  return absl::OkStatus();
}

bool RingSender::Fits(size_t descriptors) const {
  return FreeBytes() >= needed_ &&
         (descriptors == 0 || descriptors_in_flight_ + descriptors <= kMaxDescriptorsInFlight);
}

absl::StatusOr<bool> RingSender::MakeRoom(size_t descriptors) {
  needed_descriptors_ = descriptors;
  SLUICE_RETURN_IF_ERROR(ReadPosition());
  if (Fits(descriptors)) return true;
  Wish(RoomWish::kWanted);
  SLUICE_RETURN_IF_ERROR(ReadPosition());
  return Fits(descriptors);
}

bool RingSender::HasRoomFor(size_t bytes, size_t descriptors) {
  const size_t record = RecordBytes(bytes);
  // One line stays free for the commit word after the record.
  needed_ = SkipBefore(position(), record) + record + kRecordAlignment;
  return Fits(descriptors);
}

absl::StatusOr<bool> RingSender::TrySend(absl::Span<const Blob> parts, size_t bytes,
                                         absl::Span<const FdView> descriptors) {
  reserved_bytes_.reset();
  if (ABSL_PREDICT_FALSE(!HasRoomFor(bytes, descriptors.size()))) {
    SLUICE_ASSIGN_OR_RETURN(const bool fits, MakeRoom(descriptors.size()));
    if (!fits) return false;
  }
  const size_t skipped = SkipBefore(position(), RecordBytes(bytes));
  std::byte* to = PayloadAt(position() + skipped);
  for (const Blob& part : parts) {
    CopyBytes(to, part.data(), part.size());
    to += part.size();
  }
  return Commit(bytes, skipped, descriptors);
}

absl::StatusOr<std::optional<absl::Span<std::byte>>> RingSender::TryReserve(size_t bytes) {
  reserved_bytes_.reset();
  if (!HasRoomFor(bytes, 0)) {
    SLUICE_ASSIGN_OR_RETURN(const bool fits, MakeRoom(0));
    if (!fits) return std::nullopt;
  }
  reserved_bytes_ = bytes;
  return absl::MakeSpan(PayloadAt(position() + SkipBefore(position(), RecordBytes(bytes))), bytes);
}

absl::StatusOr<bool> RingSender::TryCommit(size_t bytes, absl::Span<const FdView> descriptors) {
  if (!Fits(descriptors.size())) {
    SLUICE_ASSIGN_OR_RETURN(const bool fits, MakeRoom(descriptors.size()));
    if (!fits) return false;
  }
  SLUICE_ASSIGN_OR_RETURN(const bool sent,
                          Commit(bytes, SkipBefore(position(), RecordBytes(*reserved_bytes_)), descriptors));
  if (sent) reserved_bytes_.reset();
  return sent;
}

absl::StatusOr<bool> RingSender::Commit(size_t bytes, size_t skipped, absl::Span<const FdView> descriptors) {
  const uint64_t start = position() + skipped;
  const uint64_t end = start + RecordBytes(bytes);
  if (ABSL_PREDICT_FALSE(!descriptors.empty())) {
    SLUICE_ASSIGN_OR_RETURN(const bool sent, SendDescriptors(start, end, descriptors));
    if (!sent) return false;
  }
  Publish(WriteWords(position(), skipped,
                     {.bytes = static_cast<uint32_t>(bytes), .descriptors = static_cast<uint8_t>(descriptors.size())}),
          end);
  return true;
}

absl::StatusOr<size_t> RingSender::TrySendBatch(absl::Span<const Blob> messages) {
  reserved_bytes_.reset();
  if (messages.empty()) return 0;
  if (!HasRoomFor(messages[0].size(), 0)) {
    SLUICE_ASSIGN_OR_RETURN(const bool fits, MakeRoom(0));
    if (!fits) return 0;
  }
  // The reader waits for the first word, so all others can be written before it.
  uint64_t first_word = 0;
  uint64_t end = position();
  size_t sent = 0;
  for (const Blob& message : messages) {
    const size_t record = RecordBytes(message.size());
    const size_t skipped = SkipBefore(end, record);
    if (end - position() + skipped + record + kRecordAlignment > FreeBytes()) break;
    const uint64_t word = WriteWords(end, skipped, {.bytes = static_cast<uint32_t>(message.size())});
    if (sent == 0) {
      first_word = word;
    } else {
      CommitWordAt(end).store(word, std::memory_order_relaxed);  // Published with the first.
    }
    CopyBytes(PayloadAt(end + skipped), message.data(), message.size());
    end += skipped + record;
    ++sent;
  }
  Publish(first_word, end);
  return sent;
}

uint64_t RingSender::WriteWords(uint64_t from, size_t skipped, CommitWord word) {
  const uint64_t start = from + skipped;
  CommitWordAt(start + RecordBytes(word.bytes)).store(0, std::memory_order_relaxed);  // Published with this record.
  if (ABSL_PREDICT_TRUE(skipped == 0)) return Encode(word);
  CommitWordAt(start).store(Encode(word), std::memory_order_relaxed);  // Published by the skip.
  return Encode({.kind = RecordKind::kSkip});
}

void RingSender::Publish(uint64_t word, uint64_t end) {
  if (ABSL_PREDICT_FALSE(wish_ != RoomWish::kNone)) Wish(RoomWish::kNone);
  // Publishes all that was written, and is ordered before the look at the sleep word. Pairs with RingReceiver's loads.
  CommitWordAt(position()).store(word, std::memory_order_seq_cst);
  position_.store(end, std::memory_order_relaxed);
  WakeReceiver();
}

uint64_t RingSender::UnreadBytes() const {
  const uint64_t read = peer_.control.read_position.load(std::memory_order_relaxed);  // A figure for people.
  return std::min<uint64_t>(position() - read, own_.ring.size());
}

absl::StatusOr<bool> RingSender::SendDescriptors(uint64_t start, uint64_t end, absl::Span<const FdView> descriptors) {
  SLUICE_ASSIGN_OR_RETURN(const bool sent, link_.SendDescriptors(channel_, start, descriptors));
  link_was_full_ = !sent;
  if (!sent) return false;
  in_flight_.push_back({.end = end, .count = descriptors.size()});
  descriptors_in_flight_ += descriptors.size();
  return true;
}

void RingSender::WakeReceiver() {
  // Ordered after the commit; pairs with RingReceiver::BeginSleep.
  const uint32_t sleep = peer_.control.receive_sleep.load(std::memory_order_seq_cst);
  if (ABSL_PREDICT_TRUE((sleep & 1) == 0) || sleep == rung_for_) return;
  rung_for_ = sleep;
  link_.RingDoorbell();
}

bool RingSender::HasRoom() {
  // An error is worth another attempt: that reports it.
  return Fits(needed_descriptors_) || !ReadPosition().ok() || Fits(needed_descriptors_);
}

bool RingSender::HasAmpleRoom() {
  return !ReadPosition().ok() || (Fits(needed_descriptors_) && FreeBytes() >= own_.ring.size() / 4);
}

void RingSender::Wish(RoomWish wish) {
  wish_ = wish;
  constexpr uint32_t kStep = (kRoomWantedBit | kRoomAsleepBit) + 1;
  const uint32_t before = own_.control.room_wish.load(std::memory_order_relaxed);  // Only this thread stores it.
  const uint32_t after = (before & ~(kStep - 1)) + kStep + static_cast<uint32_t>(wish);
  // Ordered before the next look at the read position; pairs with RingReceiver::PublishPosition. A withdrawn wish needs
  // no order: a late reader rings in vain.
  own_.control.room_wish.store(after, wish == RoomWish::kNone ? std::memory_order_relaxed : std::memory_order_seq_cst);
}

void RingSender::Finish() {
  own_.control.finish_position.store(position(), std::memory_order_release);  // Pairs with RingReceiver::TryReceive.
  // The receiver may have gone to sleep before it saw this; one doorbell more costs nothing here.
  link_.RingDoorbell();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
