#include "ipc_transport/structured/channel.h"

#include <memory>
#include <optional>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/structured/message.h"
#include "ipc_transport/structured/store.h"
#include "ipc_transport/structured/testing/fake_store.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using sluice_test::Parcel;
using testing::FakeStore;
using testing::Fill;
using ::testing::HasSubstr;
using testing::IsFilled;
using testing::IsOk;
using testing::StatusIs;
using testing::TimeLimit;

using ParcelChannel = StructuredChannel<Parcel>;

// What a channel is upgraded with.
class Session {
 public:
  explicit Session(std::shared_ptr<MessageStore> store) : store_(std::move(store)) {}
  std::shared_ptr<MessageStore> message_store() { return store_; }

 private:
  const std::shared_ptr<MessageStore> store_;
};
static_assert(HasMessageStore<Session>);
static_assert(!HasMessageStore<std::shared_ptr<FakeStore>>);

std::pair<Channel, Channel> Connect() {
  auto pair = RingPipe::CreatePair();
  EXPECT_THAT(pair, IsOk());
  return {Channel(std::move(pair->first)), Channel(std::move(pair->second))};
}

Message<Parcel> Built(ParcelChannel& channel, uint64_t number, size_t bytes = 0) {
  Message<Parcel> message = channel.NewMessage();
  Fill(message.body(), number, bytes == 0 ? 0 : 1, bytes);
  return message;
}

TEST(StructuredChannelTest, LiesInTheSessionsMemory) {
  auto [first, second] = FakeStore::CreatePair();
  Session ours(first);
  Session theirs(second);
  auto [a, b] = Connect();
  ParcelChannel mine = ParcelChannel::Upgrade(std::move(a), ours);
  ParcelChannel other = ParcelChannel::Upgrade(std::move(b), theirs, {.max_waiting_messages = 3});
  Message<Parcel> message = Built(mine, 7, 100'000);
  EXPECT_EQ(first->segments(), 1u);
  ASSERT_OK(mine.Send(std::move(message)));
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> incoming, other.Receive(TimeLimit()));
  EXPECT_TRUE(IsFilled(incoming.body(), 7, 1, 100'000));
  EXPECT_FALSE(incoming.expects_reply());
  EXPECT_EQ(first->loans(), 1u);
}

TEST(StructuredChannelTest, ReceivedMessagesOutliveChannelAndStore) {
  auto [first, second] = FakeStore::CreatePair();
  auto [a, b] = Connect();
  std::optional<ParcelChannel> mine = ParcelChannel::Upgrade(std::move(a), std::move(first));
  std::optional<ParcelChannel> other = ParcelChannel::Upgrade(std::move(b), std::move(second));
  ASSERT_OK(mine->Send(Built(*mine, 7, 100'000)));
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> incoming, other->Receive(TimeLimit()));
  mine.reset();
  other.reset();
  EXPECT_TRUE(IsFilled(incoming.body(), 7, 1, 100'000));
}

TEST(StructuredChannelTest, AMessageIsSentOnce) {
  auto [a, b] = Connect();
  ParcelChannel channel = ParcelChannel::Upgrade(std::move(a));
  Message<Parcel> message = Built(channel, 7);
  ASSERT_OK(channel.Send(std::move(message)));
  for (const absl::Status& status : {channel.Send(std::move(message)),  // NOLINT: that is what is tested.
                                     channel.Request(std::move(message)).status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("there is no message")));
  }
}

TEST(StructuredChannelTest, MovesAndClosesWhatItReplaces) {
  auto [a, b] = Connect();
  auto [c, d] = Connect();
  ParcelChannel channel = ParcelChannel::Upgrade(std::move(a));
  ParcelChannel replaced_peer = ParcelChannel::Upgrade(std::move(b));
  ParcelChannel other = ParcelChannel::Upgrade(std::move(c));
  ParcelChannel peer = ParcelChannel::Upgrade(std::move(d));
  channel = std::move(other);
  EXPECT_EQ(ReasonOf(replaced_peer.Receive(TimeLimit()).status()), Reason::kGoodbye);
  ASSERT_OK(channel.Send(Built(channel, 7)));
  EXPECT_THAT(peer.Receive(TimeLimit()), IsOk());
}

TEST(StructuredChannelTest, OneThatWasMovedFromSaysSo) {
  auto [a, b] = Connect();
  ParcelChannel channel = ParcelChannel::Upgrade(std::move(a));
  const ParcelChannel moved = std::move(channel);
  Message<Parcel> message = Built(channel, 7);  // NOLINT: that is what is tested.
  channel.set_wait_mode(WaitMode::kSleep);
  channel.Close();
  for (const absl::Status& status :
       {channel.Send(std::move(message)), channel.Receive().status(), channel.Request({}).status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("moved from")));
  }
}

TEST(StructuredChannelTest, OfAnInvalidChannelEveryCallTells) {
  ParcelChannel channel = ParcelChannel::Upgrade(Channel());
  EXPECT_THAT(channel.Send(Built(channel, 7)), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(StructuredChannelTest, DestroyingItIsAGoodbye) {
  auto [a, b] = Connect();
  ParcelChannel peer = ParcelChannel::Upgrade(std::move(b));
  {
    const ParcelChannel channel = ParcelChannel::Upgrade(std::move(a));
  }
  EXPECT_EQ(ReasonOf(peer.Receive(TimeLimit()).status()), Reason::kGoodbye);
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
