#include "ipc_transport/internal/ring_layout.h"

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace ipc::internal {
namespace {

TEST(RingLayoutTest, RingsArePowersOfTwoWithinLimits) {
  for (const size_t bytes : {kMinRingBytes, 2 * kMinRingBytes, size_t{1} << 20, kMaxRingBytes}) {
    EXPECT_TRUE(IsValidRingBytes(bytes)) << bytes;
  }
  for (const size_t bytes : {size_t{0}, size_t{1}, kMinRingBytes / 2, kMinRingBytes - 1, kMinRingBytes + 1,
                             3 * kMinRingBytes, kMaxRingBytes + 1, 2 * kMaxRingBytes, SIZE_MAX}) {
    EXPECT_FALSE(IsValidRingBytes(bytes)) << bytes;
  }
}

TEST(RingLayoutTest, RecordsAreWholeLines) {
  EXPECT_EQ(RecordBytes(0), 64u);
  EXPECT_EQ(RecordBytes(56), 64u);
  EXPECT_EQ(RecordBytes(57), 128u);
  EXPECT_EQ(RecordBytes(120), 128u);
  // A payload as large as a hostile length overflows nothing.
  EXPECT_EQ(RecordBytes(0xffffffff), size_t{0x100000040});
}

TEST(RingLayoutTest, ARecordFitsIntoAQuarterOfTheSmallerRing) {
  EXPECT_EQ(RecordBytes(MaxRecordPayload(4096, 4096)), 1024u);
  EXPECT_EQ(MaxRecordPayload(4096, size_t{1} << 20), MaxRecordPayload(4096, 4096));
  EXPECT_EQ(MaxRecordPayload(size_t{1} << 20, 4096), MaxRecordPayload(4096, 4096));
}

TEST(RingLayoutTest, ACommitWordIsNeverZero) {
  for (const RecordKind kind : {RecordKind::kData, RecordKind::kSkip}) {
    EXPECT_NE(Encode({.bytes = 0, .kind = kind}), 0u);
  }
  const CommitWord word = DecodeCommitWord(Encode({.bytes = 1234, .kind = RecordKind::kData, .descriptors = 16}));
  EXPECT_EQ(word.bytes, 1234u);
  EXPECT_EQ(word.kind, RecordKind::kData);
  EXPECT_EQ(word.descriptors, 16);
  EXPECT_EQ(word.reserved, 0);
}

// What goes over shared memory is part of the protocol.
TEST(RingLayoutTest, PlacesAreFixed) {
  EXPECT_EQ(Encode({.bytes = 0x01020304, .kind = RecordKind::kSkip, .descriptors = 5, .reserved = 0x0607}),
            0x0607050201020304u);
  EXPECT_EQ(kLaneControlBytes, 4096u);
  EXPECT_EQ(offsetof(LaneControl, read_position), 0u);
  EXPECT_EQ(offsetof(LaneControl, receive_sleep), 128u);
  EXPECT_EQ(offsetof(LaneControl, room_wish), 256u);
  EXPECT_EQ(offsetof(LaneControl, finish_position), 384u);
  EXPECT_EQ(offsetof(LaneControl, closed), 392u);
}

TEST(RingLayoutTest, BothSidesSeeTheSameLane) {
  struct alignas(kLinePairBytes) Lane {
    std::byte bytes[LaneBytes(kMinRingBytes)] = {};
  };
  const auto lane = std::make_unique<Lane>();
  InitLane(absl::MakeSpan(lane->bytes));
  const OwnLane own(absl::MakeSpan(lane->bytes));
  const PeerLane seen(absl::MakeConstSpan(lane->bytes));
  EXPECT_EQ(own.ring.size(), kMinRingBytes);
  EXPECT_EQ(own.ring.data(), seen.ring.data());
  EXPECT_EQ(seen.ring.size(), kMinRingBytes);
  EXPECT_EQ(seen.control.finish_position.load(), LaneControl::kNotFinished);
  EXPECT_EQ(seen.control.closed.load(), 0u);
  own.control.read_position.store(64);
  EXPECT_EQ(seen.control.read_position.load(), 64u);
}

}  // namespace
}  // namespace ipc::internal
