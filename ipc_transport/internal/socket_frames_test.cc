#include "ipc_transport/internal/socket_frames.h"

#include <cstdint>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::AfterFinish;
using ::ipc::internal::EndOf;
using ::ipc::internal::FrameHeader;
using ::ipc::internal::FrameType;
using ::ipc::internal::Validate;
using ::ipc::internal::ValidatePacket;

constexpr size_t kMax = 100;

// M3, M5, D1
TEST(SocketFramesTest, OnlyHonestHeadersPass) {
  EXPECT_OK(Validate({.bytes = 0}, 0, kMax));
  EXPECT_OK(Validate({.bytes = kMax}, 0, kMax));
  EXPECT_OK(Validate({.descriptors = 16, .bytes = 1}, 16, kMax));
  for (const FrameType type : {FrameType::kFinish, FrameType::kGoodbye, FrameType::kKeepAlive}) {
    EXPECT_OK(Validate({.type = type}, 0, kMax));
    EXPECT_THAT(Validate({.type = type, .bytes = 1}, 0, kMax), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_THAT(Validate({.type = type, .descriptors = 1}, 1, kMax), StatusIs(absl::StatusCode::kDataLoss));
  }
  const struct {
    FrameHeader header;
    size_t descriptors;
  } dishonest[] = {
      {{.type = FrameType{0}}, 0}, {{.type = FrameType{5}}, 0}, {{.type = FrameType{255}}, 0},
      {{.reserved = 1}, 0},        {{.bytes = kMax + 1}, 0},    {{.bytes = 0x80000000}, 0},
      {{.bytes = 0xffffffff}, 0},  {{.descriptors = 1}, 0},  // One that did not come.
      {{.descriptors = 1}, 2},                               // One too many.
      {{.descriptors = 0}, 1},                               // Unannounced.
      {{.descriptors = 17}, 17},                             // Too many altogether.
  };
  for (const auto& [header, descriptors] : dishonest) {
    EXPECT_THAT(Validate(header, descriptors, kMax), StatusIs(absl::StatusCode::kDataLoss))
        << static_cast<int>(header.type) << " " << header.bytes << " " << descriptors;
  }
}

TEST(SocketFramesTest, APacketIsOneWholeFrame) {
  EXPECT_OK(ValidatePacket({.bytes = 2}, sizeof(FrameHeader) + 2, 0, kMax));
  for (const size_t bytes :
       {size_t{0}, size_t{1}, sizeof(FrameHeader) - 1, sizeof(FrameHeader) + 1, sizeof(FrameHeader) + 3}) {
    EXPECT_THAT(ValidatePacket({.bytes = 2}, bytes, 0, kMax), StatusIs(absl::StatusCode::kDataLoss)) << bytes;
  }
}

TEST(SocketFramesTest, SaysWhatEndsTheMessages) {
  EXPECT_OK(EndOf(FrameType::kMessage));
  EXPECT_OK(EndOf(FrameType::kKeepAlive));
  EXPECT_THAT(EndOf(FrameType::kFinish), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_EQ(ReasonOf(EndOf(FrameType::kGoodbye)), Reason::kGoodbye);
}

// M5
TEST(SocketFramesTest, AfterAFinishComesNoMessage) {
  EXPECT_OK(AfterFinish(FrameType::kKeepAlive));
  EXPECT_EQ(ReasonOf(AfterFinish(FrameType::kGoodbye)), Reason::kGoodbye);
  EXPECT_THAT(AfterFinish(FrameType::kMessage), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(AfterFinish(FrameType::kFinish), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace ipc::testing
