// A ring's receiver and sender whose peer writes into its lane what it likes, whenever it likes.

#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/fuzz/guarded_lane.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_transport/internal/ring_receiver.h"
#include "ipc_transport/internal/ring_sender.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/fuzz/fuzz_target.h"
#include "ipc_util/testing/socket_pair.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::CommitWord;
using ::ipc::internal::Encode;
using ::ipc::internal::kCommitBytes;
using ::ipc::internal::kLaneControlBytes;
using ::ipc::internal::kMinRingBytes;
using ::ipc::internal::Link;
using ::ipc::internal::MaxRecordPayload;
using ::ipc::internal::OwnLane;
using ::ipc::internal::PeerLane;
using ::ipc::internal::RecordBytes;
using ::ipc::internal::RecordKind;
using ::ipc::internal::RingReceiver;
using ::ipc::internal::RingSender;
using ::ipc::internal::RoomWish;

constexpr uint32_t kChannel = 1;

// The hostile side: an honest sender's bookkeeping, which it need not keep to.
class Peer {
 public:
  Peer(absl::Span<std::byte> lane, Fd socket)
      : control_(OwnLane(lane).control),
        ring_(lane.subspan(kLaneControlBytes)),
        link_(Link::Create(std::move(socket), PidFd()).value()) {}

  // As a sender would, but for what the input chooses.
  void Write(CommitWord word) {
    Put(position_ + RecordBytes(word.bytes), 0);
    Put(position_, Encode(word));
    position_ += RecordBytes(word.bytes);
  }
  void Skip() {
    Put(position_ + ring_.size(), 0);
    Put(position_, Encode({.kind = RecordKind::kSkip}));
    position_ += ring_.size() - position_ % ring_.size();
  }
  void WriteWord(uint64_t word) { Put(position_, word); }
  void MoveTo(uint64_t position) { position_ = position; }

  void Scribble(size_t offset, absl::Span<const uint8_t> bytes) {
    for (const uint8_t byte : bytes) ring_[offset++ % ring_.size()] = std::byte{byte};
  }
  void ScribbleControl(uint8_t which, uint64_t value) {
    switch (which % 5) {
      case 0:
        return control_.read_position.store(value);
      case 1:
        return control_.receive_sleep.store(static_cast<uint32_t>(value));
      case 2:
        return control_.room_wish.store(static_cast<uint32_t>(value));
      case 3:
        return control_.finish_position.store(value);
      case 4:
        return control_.closed.store(static_cast<uint32_t>(value));
    }
  }

  uint64_t read_position() const { return control_.read_position.load(); }

  void SendDescriptors(uint32_t channel, size_t count) {
    static const Fd* const descriptor = new Fd(eventfd(0, EFD_CLOEXEC));
    const std::vector<FdView> descriptors(count, descriptor->view());
    link_->SendDescriptors(channel, position_, descriptors).IgnoreError();
  }

 private:
  void Put(uint64_t position, uint64_t word) {
    reinterpret_cast<std::atomic<uint64_t>*>(ring_.data() + position % ring_.size() / kCommitBytes * kCommitBytes)
        ->store(word);
  }

  ::ipc::internal::LaneControl& control_;
  const absl::Span<std::byte> ring_;
  const std::shared_ptr<Link> link_;
  uint64_t position_ = 0;
};

void Receive(RingReceiver& receiver, size_t buffer_bytes, bool wants_descriptors, size_t max_payload, bool& broken) {
  std::vector<std::byte> buffer(buffer_bytes);
  std::vector<Fd> descriptors;
  const absl::StatusOr<std::optional<size_t>> received =
      receiver.TryReceive(absl::MakeSpan(buffer), wants_descriptors ? &descriptors : nullptr);
  FuzzCheck(!broken || absl::IsDataLoss(received.status()));
  if (received.ok()) {
    FuzzCheck(!received->has_value() || (**received <= buffer_bytes && **received <= max_payload));
    return;
  }
  broken = absl::IsDataLoss(received.status());
  FuzzCheck(broken || absl::IsInvalidArgument(received.status()) || absl::IsOutOfRange(received.status()));
}

// Looks at the next record in place, to its last byte.
void Peek(RingReceiver& receiver, bool release, size_t max_payload, bool& broken) {
  std::vector<Fd> descriptors;
  const absl::StatusOr<std::optional<Blob>> peeked = receiver.TryPeek(&descriptors);
  FuzzCheck(!broken || absl::IsDataLoss(peeked.status()));
  if (!peeked.ok()) {
    broken = absl::IsDataLoss(peeked.status());
    FuzzCheck(broken || absl::IsOutOfRange(peeked.status()));
    return;
  }
  if (!peeked->has_value()) return;
  FuzzCheck((*peeked)->size() <= max_payload);
  const volatile std::byte* const bytes = (*peeked)->data();
  for (size_t i = 0; i < (*peeked)->size(); ++i) static_cast<void>(bytes[i]);
  if (release) FuzzCheck(receiver.ReleasePeeked().ok());
}

// Sends through the sender, and keeps its books.
class HonestSender {
 public:
  HonestSender(RingSender& sender, const Peer& peer) : sender_(sender), peer_(peer) {}

  void Send(size_t payload) {
    ReadPosition();
    const std::vector<std::byte> bytes(payload);
    const Blob part(bytes);
    const absl::StatusOr<bool> sent = sender_.TrySend(absl::MakeConstSpan(&part, 1), payload, {});
    FuzzCheck(sent.ok() || absl::IsDataLoss(sent.status()));
    if (sent.ok() && *sent) Sent(payload, payload);
  }

  // Reserves room and commits a part of it.
  void SendInPlace(size_t reserved, size_t payload) {
    ReadPosition();
    const absl::StatusOr<std::optional<absl::Span<std::byte>>> room = sender_.TryReserve(reserved);
    FuzzCheck(room.ok() || absl::IsDataLoss(room.status()));
    if (!room.ok() || !room->has_value()) return;
    std::fill((*room)->begin(), (*room)->end(), std::byte{0xff});
    const absl::StatusOr<bool> sent = sender_.TryCommit(payload, {});
    FuzzCheck(sent.ok() && *sent);
    Sent(reserved, payload);
  }

  void SendBatch(size_t payload, size_t count) {
    ReadPosition();
    const std::vector<std::byte> bytes(payload);
    const absl::StatusOr<size_t> sent = sender_.TrySendBatch(std::vector<Blob>(count, Blob(bytes)));
    FuzzCheck(sent.ok() || absl::IsDataLoss(sent.status()));
    for (size_t i = 0; sent.ok() && i < *sent; ++i) Sent(payload, payload);
  }

  void LookForRoom() {
    ReadPosition();
    sender_.Wish(RoomWish::kAsleep);
    sender_.HasRoom();
    sender_.HasAmpleRoom();
  }

 private:
  // Before each call that may read it.
  void ReadPosition() {
    const uint64_t read = peer_.read_position();
    if (read <= position_) read_position_ = std::max(read_position_, read);
  }

  // A record lies where there was room for the whole of what was reserved.
  void Sent(size_t reserved, size_t payload) {
    const size_t to_end = kMinRingBytes - position_ % kMinRingBytes;
    position_ += RecordBytes(payload) + (RecordBytes(reserved) > to_end ? to_end : 0);
    // It gives no line away that the peer has not read, whatever that says.
    FuzzCheck(position_ - read_position_ <= kMinRingBytes);
  }

  RingSender& sender_;
  const Peer& peer_;
  uint64_t position_ = 0;
  uint64_t read_position_ = 0;  // The furthest that the peer may have read.
};

void FuzzRing(const uint8_t* data, size_t size) {
  static const auto* const own = new GuardedLane(kMinRingBytes);
  static const auto* const small = new GuardedLane(kMinRingBytes);
  static const auto* const large = new GuardedLane(2 * kMinRingBytes);
  FuzzInput input(data, size);
  const GuardedLane& hostile = input.Byte() % 2 == 0 ? *small : *large;
  own->Reset();
  hostile.Reset();
  auto [socket, peer_socket] = MakeSocketPair();
  Peer peer(hostile.bytes(), std::move(peer_socket));
  const std::shared_ptr<Link> link = Link::Create(std::move(socket), PidFd()).value();
  RingReceiver receiver(OwnLane(own->bytes()), PeerLane(hostile.bytes()), *link, kChannel);
  RingSender sender(OwnLane(own->bytes()), PeerLane(hostile.bytes()), *link, kChannel);
  HonestSender honest(sender, peer);
  const size_t max_payload = MaxRecordPayload(kMinRingBytes, kMinRingBytes);
  bool broken = false;

  while (!input.empty()) {
    switch (input.Byte() % 15) {
      case 0:
        peer.Write({.bytes = input.Number<uint16_t>() % 1100u});
        break;
      case 1: {
        const uint8_t count = input.Byte() % 20;
        if (count != 0) peer.SendDescriptors(kChannel + input.Byte() % 2, count);
        peer.Write({.bytes = input.Byte(), .descriptors = static_cast<uint8_t>(count + input.Byte() % 2)});
        break;
      }
      case 2:
        peer.Skip();
        break;
      case 3:
        peer.WriteWord(input.Number<uint64_t>());
        break;
      case 4:
        peer.MoveTo(input.Number<uint16_t>());
        break;
      case 5: {
        const size_t offset = input.Number<uint16_t>();
        peer.Scribble(offset, input.Bytes(input.Byte()));
        break;
      }
      case 6: {
        const uint8_t which = input.Byte();
        peer.ScribbleControl(which, input.Number<uint64_t>());
        break;
      }
      case 7: {
        const size_t buffer_bytes = input.Number<uint16_t>() % 1100u;
        Receive(receiver, buffer_bytes, input.Byte() % 2 != 0, max_payload, broken);
        break;
      }
      case 8:
        Receive(receiver, 2 * max_payload, true, max_payload, broken);
        break;
      case 9:
        receiver.BeginSleep();
        receiver.HasNews();
        receiver.EndSleep();
        break;
      case 10:
        honest.Send(input.Number<uint16_t>() % (max_payload + 1));
        break;
      case 11:
        honest.LookForRoom();
        break;
      case 12:
        Peek(receiver, input.Byte() % 2 != 0, max_payload, broken);
        break;
      case 13: {
        const size_t reserved = input.Number<uint16_t>() % (max_payload + 1);
        honest.SendInPlace(reserved, input.Number<uint16_t>() % (reserved + 1));
        break;
      }
      case 14: {
        const size_t payload = input.Number<uint16_t>() % (max_payload + 1);
        honest.SendBatch(payload, input.Byte() % 20);
        break;
      }
    }
  }
}

}  // namespace
}  // namespace ipc::testing

SLUICE_FUZZ_TARGET(::ipc::testing::FuzzRing)
