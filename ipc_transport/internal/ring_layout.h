// How a lane looks in memory: what one side of a ring channel publishes in its outbox.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_RING_LAYOUT_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_RING_LAYOUT_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A pair of cache lines, which the hardware fetches together.
inline constexpr size_t kLinePairBytes = 128;

// Written by the lane's owner alone. All positions count bytes from the start of the ring's life and never wrap.
struct LaneControl {
  static constexpr uint64_t kNotFinished = ~uint64_t{0};

  // Everything before it in the *peer's* ring is read. Release here, acquire at the peer's sender.
  alignas(kLinePairBytes) std::atomic<uint64_t> read_position;
  // Odd: this side's receiver sleeps; grows by one at each change. Sequentially consistent, with the peer's commit
  // words.
  alignas(kLinePairBytes) std::atomic<uint32_t> receive_sleep;
  // What this side's sender wants of the peer's receiver, see RoomWish. Sequentially consistent, with the peer's
  // `read_position`.
  alignas(kLinePairBytes) std::atomic<uint32_t> room_wish;
  // Where this side's records end, once it has finished sending. Release here, acquire at the peer's receiver.
  alignas(kLinePairBytes) std::atomic<uint64_t> finish_position;
  // 1: this side has closed the channel. Release here, acquire at the peer.
  std::atomic<uint32_t> closed;
  // Where this side's sending and receiving threads run, as `OnlyProcessor` of the spinner tells. Hints; relaxed.
  std::atomic<uint32_t> send_processor;
  std::atomic<uint32_t> receive_processor;
};

// The low two bits of a room wish; those above count, so that no two wishes are equal.
enum class RoomWish : uint32_t {
  kNone = 0,    // The reader publishes its position every quarter ring, and when it has read everything.
  kWanted = 1,  // It publishes its position after every record.
  kAsleep = 3,  // As `kWanted`, and rings the doorbell once.
};
inline constexpr uint32_t kRoomWantedBit = 1;
inline constexpr uint32_t kRoomAsleepBit = 2;

inline constexpr size_t kLaneControlBytes = 4096;
static_assert(sizeof(LaneControl) <= kLaneControlBytes);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

inline constexpr size_t kMinRingBytes = 4096;
inline constexpr size_t kMaxRingBytes = size_t{1} << 30;

constexpr bool IsValidRingBytes(size_t bytes) {
  return bytes >= kMinRingBytes && bytes <= kMaxRingBytes && std::has_single_bit(bytes);
}

constexpr size_t LaneBytes(size_t ring_bytes) { return kLaneControlBytes + ring_bytes; }

// A record: its commit word, then its payload, padded to whole cache lines. 0: not there yet.
inline constexpr size_t kRecordAlignment = 64;
inline constexpr size_t kCommitBytes = sizeof(uint64_t);

enum class RecordKind : uint8_t { kData = 1, kSkip = 2 };  // kSkip: the next record is at the start of the ring.

struct CommitWord {
  uint32_t bytes = 0;  // Of payload.
  RecordKind kind = RecordKind::kData;
  uint8_t descriptors = 0;
  uint16_t reserved = 0;
};

constexpr uint64_t Encode(CommitWord word) { return std::bit_cast<uint64_t>(word); }
constexpr CommitWord DecodeCommitWord(uint64_t bits) { return std::bit_cast<CommitWord>(bits); }

constexpr size_t RecordBytes(size_t payload) {
  return (kCommitBytes + payload + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

// The largest payload, of a pipe with rings of these sizes. A quarter of the smaller ring: with the padding at the end,
// a record fits whenever half of a ring is free.
constexpr size_t MaxRecordPayload(size_t ring_bytes, size_t other_ring_bytes) {
  return std::min(ring_bytes, other_ring_bytes) / 4 - kCommitBytes;
}

// A lane as its owner sees it.
struct OwnLane {
  explicit OwnLane(absl::Span<std::byte> lane)
      : control(*reinterpret_cast<LaneControl*>(lane.data())), ring(lane.subspan(kLaneControlBytes)) {}

  LaneControl& control;
  absl::Span<std::byte> ring;
};

// A lane as the peer of its owner sees it: read-only memory that may change at any time.
struct PeerLane {
  explicit PeerLane(absl::Span<const std::byte> lane)
      : control(*reinterpret_cast<const LaneControl*>(lane.data())), ring(lane.subspan(kLaneControlBytes)) {}

  const LaneControl& control;
  absl::Span<const std::byte> ring;
};

// Makes a zeroed lane ready, before the peer sees it.
inline void InitLane(absl::Span<std::byte> lane) {
  OwnLane(lane).control.finish_position.store(LaneControl::kNotFinished, std::memory_order_relaxed);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_RING_LAYOUT_H_
