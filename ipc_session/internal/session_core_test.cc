#include "ipc_session/internal/session_core.h"

#include <cstddef>
#include <memory>
#include <thread>

#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/testing/core_pair.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

constexpr std::byte kOne[] = {std::byte{1}};

TEST(SessionCoreTest, KeepsWhatTheLoginTold) {
  const CorePair pair = MakeCorePair(3);
  EXPECT_EQ(pair.first->channel_count(), 3);
  EXPECT_EQ(pair.first->peer().app, "other");
  EXPECT_EQ(pair.first->peer_metadata(), "metadata");
  EXPECT_EQ(pair.first->message_store(), nullptr);
  EXPECT_OK(pair.first->status());
}

TEST(SessionCoreTest, AChannelIsTakenOnce) {
  const CorePair pair = MakeCorePair(2);
  EXPECT_NE(pair.first->TakeChannel(1), nullptr);
  EXPECT_EQ(pair.first->TakeChannel(1), nullptr);
  EXPECT_EQ(pair.first->TakeChannel(2), nullptr);
  EXPECT_EQ(pair.first->TakeChannel(-1), nullptr);
}

TEST(SessionCoreTest, ChannelsDoNotMix) {
  const CorePair pair = MakeCorePair(2);
  const auto first_0 = pair.first->TakeChannel(0), first_1 = pair.first->TakeChannel(1);
  const auto second_0 = pair.second->TakeChannel(0), second_1 = pair.second->TakeChannel(1);
  ASSERT_THAT(first_1->TrySend(kOne), IsOkAndHolds(true));
  std::byte buffer[1];
  EXPECT_THAT(second_0->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(::testing::Eq(std::nullopt)));
  EXPECT_THAT(second_1->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(::testing::Optional(1)));
}

TEST(SessionCoreTest, ClosingOneChannelLeavesTheSession) {
  const CorePair pair = MakeCorePair(2);
  pair.first->TakeChannel(0).reset();
  const auto kept = pair.first->TakeChannel(1);
  const auto closed_there = pair.second->TakeChannel(0);
  std::byte buffer[1];
  EXPECT_EQ(ReasonOf(closed_there->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status()), Reason::kGoodbye);
  EXPECT_OK(pair.second->status());
  EXPECT_THAT(kept->TrySend(kOne), IsOkAndHolds(true));
}

TEST(SessionCoreTest, TheEndReachesWhoeverWaits) {
  CorePair pair = MakeCorePair(1);
  const auto channel = pair.second->TakeChannel(0);
  absl::Status end, received;
  std::thread waiter([&] { end = pair.second->WaitForEnd(TimeLimit()); });
  std::thread receiver([&] {
    std::byte buffer[1];
    received = channel->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status();
  });
  pair.first.reset();
  waiter.join();
  receiver.join();
  EXPECT_EQ(ReasonOf(end), Reason::kGoodbye);
  EXPECT_EQ(ReasonOf(received), Reason::kGoodbye);
}

TEST(SessionCoreTest, EndingHereCancelsHere) {
  const CorePair pair = MakeCorePair(1);
  const auto channel = pair.first->TakeChannel(0);
  pair.first->End();
  pair.first->End();
  EXPECT_THAT(pair.first->status(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(pair.first->WaitForEnd(Deadline::Passed()), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(channel->TrySend(kOne), StatusIs(absl::StatusCode::kCancelled));
}

TEST(SessionCoreTest, ChannelsOutliveTheCoreAndNothingOutlivesThem) {
  const World before = World::Now();
  {
    CorePair pair = MakeCorePair(1);
    const auto here = pair.first->TakeChannel(0);
    const auto there = pair.second->TakeChannel(0);
    ASSERT_THAT(here->TrySend(kOne), IsOkAndHolds(true));
    pair = {};
    std::byte buffer[1];
    EXPECT_THAT(there->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(::testing::Optional(1)));
    EXPECT_THAT(there->TryReceive(absl::MakeSpan(buffer), nullptr), StatusIs(absl::StatusCode::kCancelled));
  }
  EXPECT_EQ(World::Now(), before);
}

}  // namespace
}  // namespace ipc::testing
