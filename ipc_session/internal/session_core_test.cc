#include "ipc_session/internal/session_core.h"

#include <cstddef>
#include <memory>
#include <thread>

#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/testing/core_pair.h"
#include "ipc_transport/channel.h"
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

TEST(SessionCoreTest, TheEndReachesWhoeverWaits) {
  CorePair pair = MakeCorePair(1);
  Channel channel = pair.second->channels()->TakeFirst(0);
  absl::Status end, received;
  std::thread waiter([&] { end = pair.second->WaitForEnd(TimeLimit()); });
  std::thread receiver([&] {
    std::byte buffer[1];
    received = channel.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status();
  });
  pair.first.reset();
  waiter.join();
  receiver.join();
  EXPECT_EQ(ReasonOf(end), Reason::kGoodbye);
  EXPECT_EQ(ReasonOf(received), Reason::kGoodbye);
}

TEST(SessionCoreTest, EndingHereCancelsHere) {
  const CorePair pair = MakeCorePair(1);
  Channel channel = pair.first->channels()->TakeFirst(0);
  pair.first->End();
  pair.first->End();
  EXPECT_THAT(pair.first->status(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(pair.first->WaitForEnd(Deadline::Passed()), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(channel.TrySend(kOne), StatusIs(absl::StatusCode::kCancelled));
}

TEST(SessionCoreTest, ChannelsOutliveTheCoreAndNothingOutlivesThem) {
  const World before = World::Now();
  {
    CorePair pair = MakeCorePair(1);
    Channel here = pair.first->channels()->TakeFirst(0);
    Channel there = pair.second->channels()->TakeFirst(0);
    ASSERT_THAT(here.TrySend(kOne), IsOkAndHolds(true));
    pair = {};
    std::byte buffer[1];
    EXPECT_THAT(there.TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(::testing::Optional(1)));
    EXPECT_THAT(there.TryReceive(absl::MakeSpan(buffer), nullptr), StatusIs(absl::StatusCode::kCancelled));
  }
  EXPECT_EQ(World::Now(), before);
}

}  // namespace
}  // namespace ipc::testing
