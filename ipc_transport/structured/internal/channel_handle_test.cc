#include "ipc_transport/structured/internal/channel_handle.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/structured/internal/channel_core.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/pending_requests.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using sluice_test::Parcel;
using ::testing::HasSubstr;
using testing::StatusIs;
using testing::TimeLimit;

OutgoingMessage::Ptr NewMessage() {
  OutgoingMessage::Ptr message = OutgoingMessage::New(nullptr);
  message->builder().initRoot<Parcel>();
  return message;
}

std::shared_ptr<ChannelCore> NewCore(std::unique_ptr<Pipe> pipe) {
  return ChannelCore::Create(Channel(std::move(pipe)), nullptr, IdentityOf<Parcel>(), {});
}

// Two handles of one channel.
std::pair<ChannelHandle, ChannelHandle> Connect() {
  auto pair = RingPipe::CreatePair();
  EXPECT_OK(pair);
  return {ChannelHandle(NewCore(std::move(pair->first))), ChannelHandle(NewCore(std::move(pair->second)))};
}

// `peer` still gets messages of `channel`.
void ExpectConnected(ChannelHandle& channel, ChannelHandle& peer) {
  EXPECT_OK(channel->Send(NewMessage().get(), {}, TimeLimit()));
  EXPECT_OK(peer->Receive(TimeLimit()));
}

void ExpectGoodbye(ChannelHandle& peer) { EXPECT_EQ(ReasonOf(peer->Receive(TimeLimit()).status()), Reason::kGoodbye); }

TEST(ChannelHandleTest, EveryCallSaysThatItWasMovedFrom) {
  auto [mine, theirs] = Connect();
  ChannelHandle moved = std::move(mine);
  ChannelHandle& channel = mine;  // NOLINT: that is what is tested.
  int ran = 0;
  PendingRequest request;
  const OutgoingMessage::Ptr message = NewMessage();
  const auto count_message = [&](IncomingMessage::Ptr) { ++ran; };
  channel->On(0, count_message);
  channel->Once(0, count_message);
  channel->OnOther(count_message);
  channel->OnEnd([&](const absl::Status&) { ++ran; });
  channel->set_wait_mode(WaitMode::kSleep);
  channel->Close();
  const auto count_answer = [&](absl::StatusOr<IncomingMessage::Ptr>) { ++ran; };
  for (const absl::Status& status :
       {channel->Send(message.get(), {}, TimeLimit()), channel->Request(message.get(), {}, TimeLimit()).status(),
        channel->RequestAsync(message.get(), {}, false, count_answer, TimeLimit()),
        channel->RequestMany(message.get(), {}, request, TimeLimit()),
        channel->NextAnswer(request, TimeLimit()).status(), channel->Receive(TimeLimit()).status(),
        channel->Dispatch(TimeLimit()), channel->TryDispatch().status(), channel->EventFd().status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("moved from")));
  }
  channel->Forget(request);
  EXPECT_EQ(channel->store(), nullptr);
  EXPECT_EQ(channel->counters().requests_outstanding, 0u);
  EXPECT_EQ(channel->counters().sent.messages, 0u);
  EXPECT_EQ(ran, 0);
  ExpectConnected(moved, theirs);
}

TEST(ChannelHandleTest, MovingIsNoGoodbye) {
  auto [mine, theirs] = Connect();
  const std::shared_ptr<ChannelCore> core = mine.core();
  {
    std::optional<ChannelHandle> first(std::move(mine));
    ChannelHandle second = *std::move(first);
    first.reset();
    EXPECT_EQ(second.core(), core);
    ExpectConnected(second, theirs);
    ExpectConnected(theirs, second);
  }
  ExpectGoodbye(theirs);
}

TEST(ChannelHandleTest, AssigningClosesWhatWasThere) {
  auto [mine, theirs] = Connect();
  auto [other, peer_of_other] = Connect();
  const std::shared_ptr<ChannelCore> replaced = mine.core();
  mine = std::move(other);
  ExpectGoodbye(theirs);
  EXPECT_THAT(replaced->Receive(TimeLimit()), StatusIs(absl::StatusCode::kCancelled));
  ExpectConnected(mine, peer_of_other);
}

TEST(ChannelHandleTest, AHandleThatWasMovedFromMayBeAssignedTo) {
  auto [mine, theirs] = Connect();
  ChannelHandle moved = std::move(mine);
  mine = std::move(moved);
  ExpectConnected(mine, theirs);
  mine = std::move(moved);  // NOLINT: that is what is tested.
  ExpectGoodbye(theirs);
  EXPECT_THAT(mine->Receive(TimeLimit()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("moved from")));
}

TEST(ChannelHandleTest, AssigningItToItselfClosesNothing) {
  auto [mine, theirs] = Connect();
  ChannelHandle& itself = mine;
  mine = std::move(itself);
  ExpectConnected(mine, theirs);
}

TEST(ChannelHandleTest, DestroyingItClosesTheChannelWhoeverSharesIt) {
  auto [mine, theirs] = Connect();
  std::optional<ChannelHandle> channel(std::move(mine));
  const std::shared_ptr<ChannelCore> shared = channel->core();
  channel.reset();
  ExpectGoodbye(theirs);
  EXPECT_THAT(shared->Send(NewMessage().get(), {}, TimeLimit()), StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
