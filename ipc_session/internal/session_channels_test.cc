#include "ipc_session/internal/session_channels.h"

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/channel_options.h"
#include "ipc_session/internal/channel_frames.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_session/testing/core_pair.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::SessionChannels;
using ::testing::HasSubstr;

constexpr std::byte kOne[] = {std::byte{1}};
constexpr auto kLate = absl::StatusCode::kDeadlineExceeded;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

// What comes on `channel`, one byte.
absl::Status ReceiveOne(Channel& channel) {
  std::byte buffer[1];
  return channel.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status();
}

class SessionChannelsTest : public ::testing::Test {
 protected:
  SessionChannels& ours() { return *pair_.first->channels(); }
  SessionChannels& theirs() { return *pair_.second->channels(); }

  // Opened by us, accepted by them.
  void Open(const ChannelOptions& options, Channel* our_end, Channel* their_end) {
    ASSERT_OK_AND_ASSIGN(const uint32_t id, ours().StartOpening(options));
    ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer offer, theirs().NextOffer(TimeLimit()));
    EXPECT_EQ(offer.pipe, options.pipe);
    EXPECT_EQ(offer.metadata, options.metadata);
    ASSERT_OK_AND_ASSIGN(*their_end, theirs().Accept(offer.id, {}, TimeLimit()));
    ASSERT_OK_AND_ASSIGN(*our_end, ours().FinishOpening(id, TimeLimit()));
  }

  // Both sides act upon what came.
  void Settle() {
    EXPECT_OK(ours().Process());
    EXPECT_OK(theirs().Process());
    EXPECT_OK(ours().Process());
  }

  CorePair pair_ = MakeCorePair(2);
};

TEST_F(SessionChannelsTest, FirstOnesAreTakenOnce) {
  EXPECT_TRUE(ours().TakeFirst(1).valid());
  EXPECT_FALSE(ours().TakeFirst(1).valid());
  EXPECT_FALSE(ours().TakeFirst(2).valid());
  EXPECT_FALSE(ours().TakeFirst(-1).valid());
}

TEST_F(SessionChannelsTest, FirstOnesDoNotMix) {
  Channel first_0 = ours().TakeFirst(0), first_1 = ours().TakeFirst(1);
  Channel second_0 = theirs().TakeFirst(0), second_1 = theirs().TakeFirst(1);
  ASSERT_THAT(first_1.TrySend(kOne), IsOkAndHolds(true));
  std::byte buffer[1];
  EXPECT_THAT(second_0.TryReceive(absl::MakeSpan(buffer)), IsOkAndHolds(::testing::Eq(std::nullopt)));
  EXPECT_THAT(second_1.TryReceive(absl::MakeSpan(buffer)), IsOkAndHolds(::testing::Optional(1)));
}

TEST_F(SessionChannelsTest, ClosingOneLeavesTheSession) {
  ours().TakeFirst(0);  // And destroys it.
  Channel kept = ours().TakeFirst(1);
  Channel closed_there = theirs().TakeFirst(0);
  EXPECT_EQ(ReasonOf(ReceiveOne(closed_there)), Reason::kGoodbye);
  EXPECT_OK(theirs().Process());
  EXPECT_THAT(kept.TrySend(kOne), IsOkAndHolds(true));
}

class EveryKindTest : public SessionChannelsTest, public ::testing::WithParamInterface<PipeKind> {};

TEST_P(EveryKindTest, CarriesMessagesAndDescriptorsBothWays) {
  Channel here, there;
  Open({.pipe = GetParam(), .metadata = std::string("meta\0data", 9)}, &here, &there);
  ASSERT_TRUE(here.valid() && there.valid());
  EXPECT_OK(here.Send(kOne));
  EXPECT_OK(ReceiveOne(there));
  const Fd descriptor(dup(0));
  const FdView view = descriptor;
  EXPECT_OK(there.Send(kOne, absl::MakeConstSpan(&view, 1)));
  std::byte buffer[1];
  std::vector<Fd> received;
  EXPECT_OK(here.Receive(absl::MakeSpan(buffer), &received, TimeLimit()));
  EXPECT_EQ(received.size(), 1u);
}

TEST_P(EveryKindTest, DestroyingOneEndIsAGoodbyeForTheOther) {
  Channel here, there;
  Open({.pipe = GetParam()}, &here, &there);
  EXPECT_OK(here.Send(kOne));
  here = Channel();
  EXPECT_OK(ReceiveOne(there));
  EXPECT_EQ(ReasonOf(ReceiveOne(there)), Reason::kGoodbye);
  EXPECT_OK(ours().Process());
}

TEST_P(EveryKindTest, TheEndOfTheSessionEndsIt) {
  Channel here, there;
  Open({.pipe = GetParam()}, &here, &there);
  pair_.first->End();
  EXPECT_THAT(ReceiveOne(here), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(ReasonOf(ReceiveOne(there)), Reason::kGoodbye);
}

// R6: with the ring's place in the outbox used again.
TEST_P(EveryKindTest, OpenAndCloseLeavesNothing) {
  Channel here, there;
  Open({.pipe = GetParam()}, &here, &there);
  here = Channel();
  there = Channel();
  Settle();
  const World before = World::Now();
  for (int i = 0; i < 200; ++i) {
    Open({.pipe = GetParam(), .sizes = {.ring_bytes = 65536}}, &here, &there);
    EXPECT_OK(here.Send(kOne));
    EXPECT_OK(ReceiveOne(there));
    if (i % 2 == 0) std::swap(here, there);
    here = Channel();
    there = Channel();
    Settle();
  }
  EXPECT_EQ(World::Now(), before);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryKindTest, ::testing::Values(PipeKind::kRing, PipeKind::kSocket, PipeKind::kMq),
                         [](const auto& info) { return std::string(Name(info.param)); });

TEST_F(SessionChannelsTest, SizesAreEachSidesOwn) {
  ASSERT_OK_AND_ASSIGN(const uint32_t id, ours().StartOpening({.sizes = {.ring_bytes = 65536}}));
  ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer offer, theirs().NextOffer(TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const Channel there, theirs().Accept(offer.id, {.ring_bytes = 8192}, TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const Channel here, ours().FinishOpening(id, TimeLimit()));
  EXPECT_EQ(here.max_message_bytes(), there.max_message_bytes());
  EXPECT_EQ(here.max_message_bytes(), 8192u / 4 - 8);
}

TEST_F(SessionChannelsTest, ARefusalTellsWhy) {
  ASSERT_OK_AND_ASSIGN(const uint32_t id, ours().StartOpening({}));
  ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer offer, theirs().NextOffer(TimeLimit()));
  theirs().Refuse(offer.id, "no more today");
  EXPECT_THAT(ours().FinishOpening(id, TimeLimit()),
              StatusIs(absl::StatusCode::kPermissionDenied, "refused: no more today"));
  EXPECT_THAT(ours().FinishOpening(id, TimeLimit()), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(theirs().Accept(offer.id, {}, TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(SessionChannelsTest, OpeningsThatCrossAreNoConflict) {
  ASSERT_OK_AND_ASSIGN(const uint32_t our_id, ours().StartOpening({.metadata = "ours"}));
  ASSERT_OK_AND_ASSIGN(const uint32_t their_id, theirs().StartOpening({.metadata = "theirs"}));
  EXPECT_NE(our_id, their_id);
  ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer to_them, theirs().NextOffer(TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer to_us, ours().NextOffer(TimeLimit()));
  EXPECT_EQ(to_them.metadata, "ours");
  EXPECT_EQ(to_us.metadata, "theirs");
  ASSERT_OK_AND_ASSIGN(Channel a_there, theirs().Accept(to_them.id, {}, TimeLimit()));
  ASSERT_OK_AND_ASSIGN(Channel b_here, ours().Accept(to_us.id, {}, TimeLimit()));
  ASSERT_OK_AND_ASSIGN(Channel a_here, ours().FinishOpening(our_id, TimeLimit()));
  ASSERT_OK_AND_ASSIGN(Channel b_there, theirs().FinishOpening(their_id, TimeLimit()));
  EXPECT_OK(a_here.Send(kOne));
  EXPECT_OK(b_there.Send(kOne));
  EXPECT_OK(ReceiveOne(a_there));
  EXPECT_OK(ReceiveOne(b_here));
}

TEST_F(SessionChannelsTest, AnOpeningOutlivesACallThatWasTooLate) {
  ASSERT_OK_AND_ASSIGN(const uint32_t id, ours().StartOpening({}));
  EXPECT_THAT(ours().FinishOpening(id, Deadline::Passed()), StatusIs(kLate));
  ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer offer, theirs().NextOffer(TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const Channel there, theirs().Accept(offer.id, {}, TimeLimit()));
  EXPECT_OK(ours().FinishOpening(id, TimeLimit()));
}

TEST_F(SessionChannelsTest, AWithdrawnOpeningIsNoOfferAnyMore) {
  ASSERT_OK_AND_ASSIGN(const uint32_t id, ours().StartOpening({}));
  ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer offer, theirs().NextOffer(TimeLimit()));
  ours().Withdraw(id);
  EXPECT_THAT(theirs().Accept(offer.id, {}, TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
  ASSERT_OK_AND_ASSIGN(const uint32_t unseen, ours().StartOpening({}));
  ours().Withdraw(unseen);
  EXPECT_THAT(theirs().NextOffer(Deadline::Passed()), StatusIs(kLate));
  Settle();
  EXPECT_OK(ours().Process());
}

// The answer and the withdrawal cross: the acceptor has a channel whose other end is gone.
TEST_F(SessionChannelsTest, AWithdrawalThatComesTooLateIsAGoodbye) {
  for (const PipeKind kind : {PipeKind::kRing, PipeKind::kSocket}) {
    ASSERT_OK_AND_ASSIGN(const uint32_t id, ours().StartOpening({.pipe = kind}));
    ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer offer, theirs().NextOffer(TimeLimit()));
    ASSERT_OK_AND_ASSIGN(Channel there, theirs().Accept(offer.id, {}, TimeLimit()));
    ours().Withdraw(id);
    Settle();
    EXPECT_THAT(ReceiveOne(there), StatusIs(absl::StatusCode::kUnavailable));
    there = Channel();
    Settle();
  }
}

// E11: at the limit and one past it.
TEST_F(SessionChannelsTest, ThereIsALimitToChannels) {
  std::vector<Channel> kept;
  for (int i = 2; i < 100; ++i) {
    Channel here, there;
    Open({.sizes = {.ring_bytes = 4096}}, &here, &there);
    ASSERT_TRUE(here.valid() && there.valid()) << i;
    kept.push_back(std::move(here));
    kept.push_back(std::move(there));
  }
  EXPECT_THAT(ours().StartOpening({}), StatusIs(kExhausted, HasSubstr("raise SessionOptions::max_channels")));
  kept.clear();
  Settle();
  EXPECT_OK(ours().StartOpening({.sizes = {.ring_bytes = 4096}}));
}

TEST_F(SessionChannelsTest, ThereIsALimitToRings) {
  EXPECT_THAT(ours().StartOpening({.sizes = {.ring_bytes = 4 << 20}}),
              StatusIs(kExhausted, HasSubstr("raise SessionOptions::outbox_bytes")));
  ASSERT_OK_AND_ASSIGN(const uint32_t id, ours().StartOpening({.sizes = {.ring_bytes = 4096}}));
  ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer offer, theirs().NextOffer(TimeLimit()));
  EXPECT_THAT(theirs().Accept(offer.id, {.ring_bytes = 4 << 20}, TimeLimit()), StatusIs(kExhausted));
  const absl::Status refused = ours().FinishOpening(id, TimeLimit()).status();
  EXPECT_THAT(refused, StatusIs(kExhausted, "refused: the peer is at a limit"));
  EXPECT_EQ(ReasonOf(refused), Reason::kLimit);
}

TEST_F(SessionChannelsTest, ThereIsALimitToUnansweredOpenings) {
  for (size_t i = 0; i < SessionChannels::kMaxUnanswered; ++i) {
    ASSERT_OK(ours().StartOpening({.sizes = {.ring_bytes = 4096}}));
  }
  EXPECT_THAT(ours().StartOpening({}), StatusIs(kExhausted, HasSubstr("wait for an answer of the peer")));
}

TEST_F(SessionChannelsTest, TheEndOfTheSessionReachesWhoeverWaits) {
  absl::Status opened, offered;
  ASSERT_OK_AND_ASSIGN(const uint32_t id, ours().StartOpening({}));
  std::thread opener([&] { opened = ours().FinishOpening(id, TimeLimit()).status(); });
  std::thread acceptor([&] { offered = ours().NextOffer(TimeLimit()).status(); });
  pair_.second->End();
  opener.join();
  acceptor.join();
  EXPECT_EQ(ReasonOf(opened), Reason::kGoodbye);
  EXPECT_EQ(ReasonOf(offered), Reason::kGoodbye);
  EXPECT_THAT(theirs().StartOpening({}), StatusIs(absl::StatusCode::kCancelled));
}

// Threads on both sides open at once, and each opening gets its own channel.
TEST_F(SessionChannelsTest, ManyThreadsOpenAtOnce) {
  constexpr int kOpenings = 20;
  const auto open = [](SessionChannels& side) {
    for (int i = 0; i < kOpenings; ++i) {
      absl::StatusOr<uint32_t> id = side.StartOpening({.sizes = {.ring_bytes = 4096}});
      ASSERT_OK(id);
      absl::StatusOr<Channel> channel = side.FinishOpening(*id, TimeLimit());
      ASSERT_OK(channel);
      EXPECT_OK(channel->Send(kOne));
      EXPECT_OK(ReceiveOne(*channel));
    }
  };
  const auto accept = [](SessionChannels& side) {
    for (int i = 0; i < 2 * kOpenings; ++i) {
      absl::StatusOr<SessionChannels::Offer> offer = side.NextOffer(TimeLimit());
      ASSERT_OK(offer);
      absl::StatusOr<Channel> channel = side.Accept(offer->id, {}, TimeLimit());
      ASSERT_OK(channel);
      EXPECT_OK(ReceiveOne(*channel));
      EXPECT_OK(channel->Send(kOne));
    }
  };
  std::vector<std::thread> threads;
  for (SessionChannels* const side : {&ours(), &theirs()}) {
    threads.emplace_back([&, side] { open(*side); });
    threads.emplace_back([&, side] { open(*side); });
    threads.emplace_back([&, side] { accept(*side); });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace ipc::testing
