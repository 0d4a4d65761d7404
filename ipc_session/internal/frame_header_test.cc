#include "ipc_session/internal/frame_header.h"

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

absl::Span<const std::byte> BytesOf(const std::string& packet) {
  return {reinterpret_cast<const std::byte*>(packet.data()), packet.size()};
}

TEST(FrameHeaderTest, IsTakenAndLeavesTheBody) {
  std::string packet;
  AppendFrameHeader(FrameType::kReport, 7, 4, &packet);
  packet += "body";
  absl::Span<const std::byte> rest = BytesOf(packet);
  ASSERT_OK_AND_ASSIGN(const FrameHeader header, TakeFrameHeader(&rest));
  EXPECT_EQ(header.type, FrameType::kReport);
  EXPECT_EQ(header.version, 7);
  EXPECT_EQ(rest.size(), 4);
}

TEST(FrameHeaderTest, OfAnotherPacketIsRefused) {  // V1
  std::string packet;
  AppendFrameHeader(FrameType::kReady, 1, 0, &packet);
  for (size_t bytes = 0; bytes < packet.size(); ++bytes) {
    const std::string cut = packet.substr(0, bytes);
    absl::Span<const std::byte> rest = BytesOf(cut);
    EXPECT_THAT(TakeFrameHeader(&rest), StatusIs(kDataLoss)) << bytes;
  }
  const std::string longer = packet + "x";
  absl::Span<const std::byte> rest = BytesOf(longer);
  EXPECT_THAT(TakeFrameHeader(&rest), StatusIs(kDataLoss));
  packet[0] ^= 1;
  rest = BytesOf(packet);
  EXPECT_THAT(TakeFrameHeader(&rest), StatusIs(kDataLoss));
}

}  // namespace
}  // namespace ipc::internal
