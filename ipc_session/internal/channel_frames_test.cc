#include "ipc_session/internal/channel_frames.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/limits.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::AcceptFrame;
using ::ipc::internal::ChannelFrame;
using ::ipc::internal::OpenFrame;
using ::ipc::internal::RefuseFrame;
using ::ipc::internal::RegionFrame;
using ::ipc::internal::RetireFrame;
using ::ipc::internal::WithdrawFrame;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

absl::StatusOr<ChannelFrame> Decode(const std::string& packet) {
  return ::ipc::internal::DecodeChannelFrame(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(packet.data()), packet.size()));
}

std::vector<ChannelFrame> Frames() {
  return {OpenFrame{.channel = 7, .lane = {8192, 4096}},
          OpenFrame{.channel = 7, .pipe = PipeKind::kMq, .metadata = std::string("a\0b", 3)},
          OpenFrame{.channel = 7, .metadata = std::string(::ipc::internal::kMaxMetadataBytes, 'x')},
          AcceptFrame{.channel = 8, .lane = {1 << 20, 1 << 16}},
          RefuseFrame{.channel = 9, .refusal = {.reason = Reason::kLimit, .text = "why"}},
          WithdrawFrame{.channel = 10},
          RetireFrame{.channel = 11, .received = uint64_t{1} << 40},
          RegionFrame{.number = 2, .bytes = uint64_t{1} << 30, .address = uint64_t{0x2000} << 32}};
}

TEST(ChannelFramesTest, TravelUnchanged) {
  for (const ChannelFrame& frame : Frames()) EXPECT_THAT(Decode(Encode(frame)), IsOkAndHolds(frame));
}

// The bytes that other versions will know.
TEST(ChannelFramesTest, LookAsTheyDidBefore) {
  EXPECT_EQ(
      Encode(OpenFrame{.channel = 0x01020304, .pipe = PipeKind::kSocket, .lane = {0x1000, 0x2000}, .metadata = "m"}),
      std::string("\1\1\1\0\4\3\2\1\0\x10\0\0\0\0\0\0\0\x20\0\0\0\0\0\0m", 25));
  EXPECT_EQ(Encode(AcceptFrame{.channel = 1, .lane = {0x1000, 0x2000}}),
            std::string("\2\0\0\0\1\0\0\0\0\x10\0\0\0\0\0\0\0\x20\0\0\0\0\0\0", 24));
  EXPECT_EQ(Encode(RefuseFrame{.channel = 1, .refusal = {.text = "no"}}).substr(0, 18),
            std::string("\3\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0no", 18));
  EXPECT_EQ(Encode(WithdrawFrame{.channel = 1}), std::string("\4\0\0\0\1\0\0\0", 8));
  EXPECT_EQ(Encode(RetireFrame{.channel = 1, .received = 0x0203}), std::string("\5\0\0\0\1\0\0\0\3\2\0\0\0\0\0\0", 16));
  EXPECT_EQ(Encode(RegionFrame{.number = 2, .bytes = 0x1000, .address = 0x0203}),
            std::string("\6\0\0\0\2\0\0\0\0\x10\0\0\0\0\0\0\3\2\0\0\0\0\0\0", 24));
}

// M2, M3
TEST(ChannelFramesTest, EveryTruncationAndExtensionIsRefused) {
  for (const ChannelFrame& frame : Frames()) {
    const std::string packet = Encode(frame);
    for (size_t size = 0; size < packet.size(); size += size < 64 ? 1 : 97) {
      EXPECT_THAT(Decode(packet.substr(0, size)), StatusIs(kDataLoss)) << frame.index() << " cut to " << size;
    }
    EXPECT_THAT(Decode(packet + "x"), StatusIs(kDataLoss));
  }
}

// M5
TEST(ChannelFramesTest, UnknownValuesAreRefused) {
  EXPECT_THAT(Decode(std::string(8, '\0')), StatusIs(kDataLoss, HasSubstr("type 0")));
  EXPECT_THAT(Decode("\7" + std::string(7, '\0')), StatusIs(kDataLoss, HasSubstr("type 7")));
  std::string packet = Encode(OpenFrame{});
  packet[1] = 3;
  EXPECT_THAT(Decode(packet), StatusIs(kDataLoss, HasSubstr("unknown kind of pipe")));
  packet = Encode(RetireFrame{});
  packet[1] = 1;
  EXPECT_THAT(Decode(packet), StatusIs(kDataLoss, HasSubstr("does not have is in use")));
  packet = Encode(RefuseFrame{});
  packet[8] = 99;
  EXPECT_THAT(Decode(packet), StatusIs(kDataLoss, HasSubstr("unknown code")));
}

// M1, M4: whatever the bits, a frame or an error; and what is decoded encodes to the same bytes.
TEST(ChannelFramesTest, AnyBytesAreAFrameOrAnError) {
  for (const ChannelFrame& frame : Frames()) {
    const std::string good = Encode(frame);
    for (size_t bit = 0; bit < 8 * std::min<size_t>(good.size(), 256); ++bit) {
      std::string bent = good;
      bent[bit / 8] = static_cast<char>(bent[bit / 8] ^ (1 << (bit % 8)));
      const absl::StatusOr<ChannelFrame> decoded = Decode(bent);
      EXPECT_TRUE(decoded.ok() || decoded.status().code() == kDataLoss);
    }
  }
  std::mt19937 random(1);
  for (int i = 0; i < 10000; ++i) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (!bytes.empty()) bytes[0] = static_cast<char>(random() % 8);
    const absl::StatusOr<ChannelFrame> decoded = Decode(bytes);
    EXPECT_TRUE(decoded.ok() || decoded.status().code() == kDataLoss);
  }
}

}  // namespace
}  // namespace ipc::testing
