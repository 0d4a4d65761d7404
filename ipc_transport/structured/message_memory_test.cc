// Messages of a channel: where they lie, and what becomes of them there.

#include <capnp/orphan.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_transport/structured/testing/fake_store.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
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

class MessageMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override { Connect({}); }

  void Connect(const FakeStore::Limits& limits) {
    auto [ours, theirs] = FakeStore::CreatePair(limits);
    auto pipes = RingPipe::CreatePair();
    ASSERT_THAT(pipes, IsOk());
    channel_ = StructuredChannel<Parcel>::Upgrade(Channel(std::move(pipes->first)), ours);
    peer_ = StructuredChannel<Parcel>::Upgrade(Channel(std::move(pipes->second)), theirs);
    store_ = std::move(ours);
  }

  // What the peer finds of a message.
  void ExpectArrives(Message<Parcel>&& message, uint64_t number, size_t parts, size_t bytes) {
    ASSERT_OK(channel_->Send(std::move(message), TimeLimit()));
    ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> incoming, peer_->Receive(TimeLimit()));
    EXPECT_EQ(store_->loans(), 1u);
    EXPECT_TRUE(IsFilled(incoming.body(), number, parts, bytes));
  }

  std::shared_ptr<FakeStore> store_;
  std::optional<StructuredChannel<Parcel>> channel_;
  std::optional<StructuredChannel<Parcel>> peer_;
};

TEST_F(MessageMemoryTest, ACopyLiesInTheChannelsMemory) {
  Message<Parcel> heap;
  Fill(heap.body(), 7, 3, 100'000);
  Message<Parcel> message = channel_->NewMessage();
  message.CopyFrom(heap.body().asReader());
  EXPECT_GT(store_->segments(), 0u);
  ExpectArrives(std::move(message), 7, 3, 100'000);
  EXPECT_EQ(store_->segments(), 0u);
}

TEST_F(MessageMemoryTest, AReceivedMessageIsForwardedAsACopy) {
  Message<Parcel> message = channel_->NewMessage();
  Fill(message.body(), 7, 3, 100'000);
  ASSERT_OK(channel_->Send(std::move(message), TimeLimit()));
  ASSERT_OK_AND_ASSIGN(std::optional<Incoming<Parcel>> incoming, peer_->Receive(TimeLimit()));
  EXPECT_THAT(incoming->DebugString(), HasSubstr("(number = 7, parts = [\""));
  Message<Parcel> copy = Message<Parcel>::CopyOf(incoming->body());
  incoming.reset();
  EXPECT_EQ(store_->segments(), 0u);
  EXPECT_TRUE(IsFilled(copy.body().asReader(), 7, 3, 100'000));
}

TEST_F(MessageMemoryTest, PartsMayBeBuiltFirst) {
  Message<Parcel> message = channel_->NewMessage();
  auto parts = message.orphanage().newOrphan<capnp::List<capnp::Data>>(1);
  parts.get().init(0, 50'000);
  EXPECT_GT(store_->segments(), 0u);
  message.body().adoptParts(std::move(parts));
  ASSERT_OK(channel_->Send(std::move(message), TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> incoming, peer_->Receive(TimeLimit()));
  EXPECT_EQ(incoming.body().getParts()[0].size(), 50'000u);
}

// While it is lent, and after it was sent.
TEST_F(MessageMemoryTest, AThawedMessageDisturbsNoReader) {
  Message<Parcel> message = channel_->NewMessage();
  Fill(message.body(), 7, 3, 100'000);
  ASSERT_OK_AND_ASSIGN(const FrozenMessage<Parcel> frozen, std::move(message).Freeze());
  ASSERT_OK(channel_->Send(frozen, TimeLimit()));
  {
    ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> incoming, peer_->Receive(TimeLimit()));
    const size_t segments = store_->segments();
    Message<Parcel> thawed = frozen.Thaw();
    EXPECT_GT(store_->segments(), segments);
    Fill(thawed.body(), 8, 2, 90'000);
    EXPECT_TRUE(IsFilled(incoming.body(), 7, 3, 100'000));
    ASSERT_OK(channel_->Send(std::move(thawed), TimeLimit()));
  }
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> changed, peer_->Receive(TimeLimit()));
  EXPECT_TRUE(IsFilled(changed.body(), 8, 2, 90'000));
  EXPECT_TRUE(IsFilled(frozen.body(), 7, 3, 100'000));
}

// R1
TEST_F(MessageMemoryTest, WhereThereIsNoMemoryForTwoThawingTells) {
  Connect({.bytes = 500'000});
  Message<Parcel> message = channel_->NewMessage();
  Fill(message.body(), 7, 1, 300'000);
  ASSERT_OK_AND_ASSIGN(const FrozenMessage<Parcel> frozen, std::move(message).Freeze());
  Message<Parcel> thawed = frozen.Thaw();
  EXPECT_TRUE(IsFilled(thawed.body().asReader(), 7, 1, 300'000));
  EXPECT_THAT(thawed.status(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("are in use")));
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
