#include "ipc_transport/channel.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

std::pair<Channel, Channel> MakeChannels() {
  auto pair = RingPipe::CreatePair();
  EXPECT_OK(pair);
  return {Channel(std::move(pair->first)), Channel(std::move(pair->second))};
}

constexpr std::byte kMessage[] = {std::byte{1}, std::byte{2}, std::byte{3}};

TEST(ChannelTest, PassesMessagesAndDescriptorsOn) {
  auto [here, there] = MakeChannels();
  EXPECT_TRUE(here.valid());
  const auto [file, other] = MakeSocketPair();
  const FdView descriptor = file;
  EXPECT_THAT(here.TrySend(kMessage, absl::MakeConstSpan(&descriptor, 1)), IsOkAndHolds(true));
  EXPECT_OK(here.Send(kMessage, absl::MakeConstSpan(&descriptor, 1), TimeLimit()));
  std::vector<Fd> descriptors;
  std::vector<std::byte> buffer(3);
  EXPECT_THAT(there.TryReceive(absl::MakeSpan(buffer), &descriptors), IsOkAndHolds(std::optional<size_t>(3)));
  EXPECT_EQ(absl::MakeConstSpan(buffer), absl::MakeConstSpan(kMessage));
  EXPECT_THAT(there.Receive(absl::MakeSpan(buffer), &descriptors, TimeLimit()), IsOkAndHolds(3u));
  EXPECT_EQ(descriptors.size(), 2u);
  EXPECT_THAT(there.TryReceive(absl::MakeSpan(buffer)), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(there.Receive(absl::MakeSpan(buffer), nullptr, Deadline::Passed()),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(ChannelTest, FinishesAndCloses) {
  auto [here, there] = MakeChannels();
  std::vector<std::byte> buffer(3);
  EXPECT_OK(here.FinishSending());
  EXPECT_THAT(there.TryReceive(absl::MakeSpan(buffer)), StatusIs(absl::StatusCode::kOutOfRange));
  here.Close();
  EXPECT_THAT(here.TrySend(kMessage), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(there.TrySend(kMessage), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(ChannelTest, ItsLimitsAndModeAreThePipes) {
  auto pair = RingPipe::CreatePair();
  ASSERT_OK(pair);
  Pipe* const pipe = pair->first.get();
  Channel channel(std::move(pair->first));
  EXPECT_EQ(channel.max_message_bytes(), pipe->max_message_bytes());
  EXPECT_EQ(channel.max_descriptors(), pipe->max_descriptors());
  channel.set_wait_mode(WaitMode::kSleep);
  EXPECT_EQ(pipe->wait_mode(), WaitMode::kSleep);
}

void ExpectInvalid(Channel& channel) {
  constexpr auto kCode = absl::StatusCode::kFailedPrecondition;
  std::vector<std::byte> buffer(3);
  EXPECT_FALSE(channel.valid());
  EXPECT_THAT(channel.TrySend(kMessage), StatusIs(kCode, HasSubstr("holds no pipe")));
  EXPECT_THAT(channel.Send(kMessage), StatusIs(kCode));
  EXPECT_THAT(channel.TryReceive(absl::MakeSpan(buffer)), StatusIs(kCode));
  EXPECT_THAT(channel.Receive(absl::MakeSpan(buffer)), StatusIs(kCode));
  EXPECT_THAT(channel.FinishSending(), StatusIs(kCode));
  EXPECT_EQ(channel.max_message_bytes(), 0u);
  EXPECT_EQ(channel.max_descriptors(), 0u);
  channel.set_wait_mode(WaitMode::kSpin);
  channel.Close();
}

TEST(ChannelTest, AnInvalidOneSaysSo) {
  Channel none;
  ExpectInvalid(none);
  auto [here, there] = MakeChannels();
  const Channel moved = std::move(here);
  EXPECT_TRUE(moved.valid());
  ExpectInvalid(here);
}

TEST(ChannelTest, GivesItsPipeUpAlive) {
  auto [here, there] = MakeChannels();
  const std::shared_ptr<Pipe> pipe = std::move(here).ReleasePipe();
  ExpectInvalid(here);
  ASSERT_NE(pipe, nullptr);
  EXPECT_OK(pipe->Send(kMessage));
  std::vector<std::byte> buffer(3);
  EXPECT_THAT(there.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOkAndHolds(3u));
}

TEST(ChannelTest, DestroyingItClosesThePipe) {
  auto [here, there] = MakeChannels();
  {
    const Channel gone = std::move(here);
  }
  std::vector<std::byte> buffer(3);
  EXPECT_THAT(there.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace ipc::testing
