#include "ipc_session/channel_options.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(ChannelOptionsTest, TheDefaultsAreValid) { EXPECT_OK(Validate(ChannelOptions())); }

TEST(ChannelOptionsTest, KindsHaveNames) {
  EXPECT_EQ(Name(PipeKind::kRing), "ring");
  EXPECT_EQ(Name(PipeKind::kSocket), "socket");
  EXPECT_EQ(Name(PipeKind::kMq), "mq");
}

TEST(ChannelOptionsTest, NamesTheWrongField) {
  EXPECT_THAT(Validate(ChannelOptions{.pipe = static_cast<PipeKind>(3)}),
              StatusIs(kInvalid, HasSubstr("ChannelOptions.pipe is 3")));
  EXPECT_OK(Validate(ChannelOptions{.metadata = std::string(4096, 'x')}));
  EXPECT_THAT(Validate(ChannelOptions{.metadata = std::string(4097, 'x')}),
              StatusIs(kInvalid, HasSubstr("ChannelOptions.metadata has 4097 bytes")));
  EXPECT_OK(Validate(PipeSizes{.ring_bytes = 4096}));
  EXPECT_THAT(Validate(PipeSizes{.ring_bytes = 4095}), StatusIs(kInvalid, HasSubstr("PipeSizes.ring_bytes is 4095")));
  EXPECT_THAT(Validate(PipeSizes{.socket = {.max_message_bytes = 0}}),
              StatusIs(kInvalid, HasSubstr("PipeSizes.socket: max_message_bytes is 0")));
  EXPECT_THAT(Validate(ChannelOptions{.sizes = {.mq = {.depth = 0}}}),
              StatusIs(kInvalid, HasSubstr("PipeSizes.mq: depth is 0")));
}

}  // namespace
}  // namespace ipc::testing
