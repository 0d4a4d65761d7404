#include "ipc_session/internal/session_dispatcher.h"

#include <poll.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/channel_options.h"
#include "ipc_session/internal/session_channels.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_session/testing/core_pair.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/internal/driven.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::Driven;
using ::ipc::internal::SessionChannels;
using ::ipc::internal::SessionDispatcher;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kLate = absl::StatusCode::kDeadlineExceeded;

Blob BlobOf(const std::string& text) { return Blob(reinterpret_cast<const std::byte*>(text.data()), text.size()); }

// Receives what is there on `channel`; true, unless the channel has ended.
bool Drain(Channel& channel, std::vector<std::string>& got) {
  std::byte buffer[64];
  while (true) {
    const absl::StatusOr<std::optional<size_t>> bytes = channel.TryReceive(absl::MakeSpan(buffer));
    if (!bytes.ok()) got.push_back(std::string(Name(ReasonOf(bytes.status()))));
    if (!bytes.ok()) return false;
    if (!bytes->has_value()) return true;
    got.emplace_back(reinterpret_cast<const char*>(buffer), **bytes);
  }
}

class SessionDispatcherTest : public ::testing::Test {
 protected:
  SessionDispatcher& dispatcher() { return pair_.first->dispatcher(); }

  // Runs until `got_` has `count` entries.
  void DispatchUntil(size_t count) {
    while (got_.size() < count) ASSERT_OK(dispatcher().Dispatch(TimeLimit()));
  }
  // Runs what there is, without waiting.
  void DispatchAll() {
    absl::StatusOr<bool> ran = true;
    while (ran.ok() && *ran) ran = dispatcher().TryDispatch();
    end_ = ran.status();
  }

  CorePair pair_ = MakeCorePair(3);
  std::vector<std::string> got_;
  absl::Status end_;
};

TEST_F(SessionDispatcherTest, WithoutHandlersNothingRuns) {
  EXPECT_THAT(dispatcher().TryDispatch(), IsOkAndHolds(false));
  EXPECT_THAT(dispatcher().Dispatch(Deadline::Passed()), StatusIs(kLate));
}

TEST_F(SessionDispatcherTest, TellsOfMessagesOnEachChannel) {
  Channel here[2] = {pair_.first->channels()->TakeFirst(0), pair_.first->channels()->TakeFirst(1)};
  Channel there[2] = {pair_.second->channels()->TakeFirst(0), pair_.second->channels()->TakeFirst(1)};
  ASSERT_OK(there[1].Send(BlobOf("before")));
  for (Channel& channel : here) dispatcher().OnReady(channel.pipe(), [&] { return Drain(channel, got_); });
  DispatchAll();
  EXPECT_THAT(got_, ElementsAre("before"));
  for (int i = 0; i < 100; ++i) {
    got_.clear();
    ASSERT_OK(there[i % 2].Send(BlobOf("a")));
    ASSERT_OK(there[i % 2].Send(BlobOf("b")));
    DispatchUntil(2);
    EXPECT_THAT(got_, ElementsAre("a", "b"));
  }
}

// A handler that takes one message at a time is called again for the next.
TEST_F(SessionDispatcherTest, AHandlerNeedNotTakeEverything) {
  Channel here = pair_.first->channels()->TakeFirst(0), there = pair_.second->channels()->TakeFirst(0);
  dispatcher().OnReady(here.pipe(), [&] {
    std::byte buffer[64];
    const absl::StatusOr<std::optional<size_t>> bytes = here.TryReceive(absl::MakeSpan(buffer));
    EXPECT_OK(bytes);
    got_.emplace_back(bytes->has_value() ? "one" : "none");
    return true;
  });
  for (int i = 0; i < 3; ++i) ASSERT_OK(there.Send(BlobOf("x")));
  DispatchAll();
  EXPECT_THAT(got_, ElementsAre("one", "one", "one"));
}

TEST_F(SessionDispatcherTest, AHandlerThatReturnsFalseIsNotCalledAgain) {
  Channel here = pair_.first->channels()->TakeFirst(0), there = pair_.second->channels()->TakeFirst(0);
  dispatcher().OnReady(here.pipe(), [&] {
    got_.emplace_back("once");
    return false;
  });
  ASSERT_OK(there.Send(BlobOf("x")));
  DispatchAll();
  ASSERT_OK(there.Send(BlobOf("x")));
  DispatchAll();
  EXPECT_THAT(got_, ElementsAre("once"));
}

// P4: also within its own handler.
TEST_F(SessionDispatcherTest, AChannelMayBeDestroyedInItsHandler) {
  auto here = std::make_unique<Channel>(pair_.first->channels()->TakeFirst(0));
  Channel there = pair_.second->channels()->TakeFirst(0);
  dispatcher().OnReady(here->pipe(), [&] {
    got_.emplace_back("last");
    here.reset();
    return true;
  });
  ASSERT_OK(there.Send(BlobOf("x")));
  DispatchAll();
  EXPECT_THAT(got_, ElementsAre("last"));
  std::byte buffer[1];
  EXPECT_EQ(ReasonOf(there.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status()), Reason::kGoodbye);
}

// P4: also the session itself.
TEST_F(SessionDispatcherTest, ASessionMayEndInAHandler) {
  Channel here = pair_.first->channels()->TakeFirst(0), there = pair_.second->channels()->TakeFirst(0);
  dispatcher().OnEnd([&](const absl::Status& end) { got_.emplace_back(end.ToString()); });
  dispatcher().OnReady(here.pipe(), [&] {
    pair_.first->End();
    return Drain(here, got_);
  });
  ASSERT_OK(there.Send(BlobOf("x")));
  DispatchAll();
  EXPECT_THAT(got_, ElementsAre("x", "none", HasSubstr("CANCELLED")));
  EXPECT_THAT(end_, StatusIs(absl::StatusCode::kCancelled));
}

// E6: data first, then the end, once.
TEST_F(SessionDispatcherTest, TheEndIsToldOnceAndLast) {
  Channel here = pair_.first->channels()->TakeFirst(0), there = pair_.second->channels()->TakeFirst(0);
  dispatcher().OnReady(here.pipe(), [&] { return Drain(here, got_); });
  dispatcher().OnEnd([&](const absl::Status& end) { got_.push_back("end: " + std::string(Name(ReasonOf(end)))); });
  ASSERT_OK(there.Send(BlobOf("last words")));
  pair_.second->End();
  DispatchAll();
  EXPECT_THAT(got_, ElementsAre("last words", "goodbye", "end: goodbye"));
  EXPECT_EQ(ReasonOf(end_), Reason::kGoodbye);
  EXPECT_EQ(ReasonOf(dispatcher().Dispatch(TimeLimit())), Reason::kGoodbye);
}

TEST_F(SessionDispatcherTest, OffersComeAsTheyAre) {
  dispatcher().OnOffer([&](const SessionChannels::Offer& offer) {
    got_.push_back(offer.metadata);
    EXPECT_OK(pair_.first->channels()->Accept(offer.id, {}, TimeLimit()));
  });
  ASSERT_OK(pair_.second->channels()->StartOpening({.metadata = "one"}));
  ASSERT_OK(pair_.second->channels()->StartOpening({.metadata = "two"}));
  DispatchUntil(2);
  EXPECT_THAT(got_, ElementsAre("one", "two"));
}

TEST_F(SessionDispatcherTest, AnOfferThatCameBeforeItsHandlerWaits) {
  ASSERT_OK(pair_.second->channels()->StartOpening({.metadata = "early"}));
  DispatchAll();
  dispatcher().OnOffer([&](const SessionChannels::Offer& offer) { got_.push_back(offer.metadata); });
  DispatchAll();
  EXPECT_THAT(got_, ElementsAre("early"));
}

TEST_F(SessionDispatcherTest, OneDescriptorTellsOfEverything) {
  ASSERT_OK_AND_ASSIGN(const FdView fd, dispatcher().WaitFd());
  Channel here = pair_.first->channels()->TakeFirst(0), there = pair_.second->channels()->TakeFirst(0);
  dispatcher().OnReady(here.pipe(), [&] { return Drain(here, got_); });
  dispatcher().OnOffer([&](const SessionChannels::Offer& offer) { got_.push_back(offer.metadata); });
  dispatcher().OnEnd([&](const absl::Status&) { got_.emplace_back("end"); });
  DispatchAll();
  EXPECT_FALSE(IsReadable(fd));

  ASSERT_OK(there.Send(BlobOf("x")));
  EXPECT_TRUE(BecomesReadable(fd));
  EXPECT_TRUE(IsReadable(fd));
  DispatchAll();
  EXPECT_FALSE(IsReadable(fd));

  ASSERT_OK(pair_.second->channels()->StartOpening({.metadata = "offer"}));
  EXPECT_TRUE(BecomesReadable(fd));
  DispatchAll();
  EXPECT_FALSE(IsReadable(fd));

  pair_.second->End();
  EXPECT_TRUE(BecomesReadable(fd));
  DispatchAll();
  EXPECT_THAT(got_, ElementsAre("x", "offer", "goodbye", "end"));
}

// Socket and queue channels are watched by the same descriptor, also those that are registered later.
TEST_F(SessionDispatcherTest, TheDescriptorTellsOfEveryKindOfPipe) {
  ASSERT_OK_AND_ASSIGN(const FdView fd, dispatcher().WaitFd());
  std::vector<Channel> here, there;
  for (const PipeKind kind : {PipeKind::kRing, PipeKind::kSocket, PipeKind::kMq}) {
    ASSERT_OK_AND_ASSIGN(const uint32_t id, pair_.second->channels()->StartOpening({.pipe = kind}));
    ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer offer, pair_.first->channels()->NextOffer(TimeLimit()));
    ASSERT_OK_AND_ASSIGN(Channel mine, pair_.first->channels()->Accept(offer.id, {}, TimeLimit()));
    ASSERT_OK_AND_ASSIGN(Channel its, pair_.second->channels()->FinishOpening(id, TimeLimit()));
    here.push_back(std::move(mine));
    there.push_back(std::move(its));
  }
  for (Channel& channel : here) dispatcher().OnReady(channel.pipe(), [&] { return Drain(channel, got_); });
  for (int round = 0; round < 3; ++round) {
    for (Channel& channel : there) {
      got_.clear();
      DispatchAll();
      ASSERT_OK(dispatcher().WaitFd());
      EXPECT_FALSE(IsReadable(fd));
      ASSERT_OK(channel.Send(BlobOf("x")));
      EXPECT_TRUE(BecomesReadable(fd));
      DispatchUntil(1);
      EXPECT_THAT(got_, ElementsAre("x"));
    }
  }
}

TEST_F(SessionDispatcherTest, OneThreadAtATime) {
  dispatcher().OnOffer([&](const SessionChannels::Offer&) {
    EXPECT_THAT(dispatcher().TryDispatch(), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_THAT(dispatcher().Dispatch(TimeLimit()), StatusIs(absl::StatusCode::kFailedPrecondition));
    got_.emplace_back("ran");
  });
  ASSERT_OK(pair_.second->channels()->StartOpening({}));
  DispatchUntil(1);
}

TEST_F(SessionDispatcherTest, ARegistrationWakesTheDispatcher) {
  std::thread thread([&] { DispatchUntil(1); });
  ASSERT_OK(pair_.second->channels()->StartOpening({}));
  EXPECT_OK(pair_.second->channels()->Process());
  dispatcher().OnOffer([&](const SessionChannels::Offer&) { got_.emplace_back("offer"); });
  thread.join();
}

// Something with handlers of its own, as a structured channel is.
class FakeDriven : public Driven {
 public:
  explicit FakeDriven(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}

  void DriveBy(absl::AnyInvocable<void()> wake) override { wake_ = std::move(wake); }
  absl::StatusOr<bool> DispatchOne(bool) override {
    if (results.empty()) return false;
    absl::StatusOr<bool> result = std::move(results.back());
    results.pop_back();
    return result;
  }
  Deadline NextTimer() override { return timer; }
  std::shared_ptr<Pipe> pipe() override { return pipe_; }
  void Wake() { wake_(); }

  std::vector<absl::StatusOr<bool>> results;
  Deadline timer = Deadline::Never();

 private:
  const std::shared_ptr<Pipe> pipe_;
  absl::AnyInvocable<void()> wake_;
};

class DrivenTest : public SessionDispatcherTest {
 protected:
  DrivenTest() { dispatcher().Drive(driven_); }

  std::shared_ptr<FakeDriven> driven_ =
      std::make_shared<FakeDriven>(pair_.first->channels()->TakeFirst(0).ReleasePipe());
};

TEST_F(DrivenTest, RunsUntilNothingIsLeft) {
  driven_->results = {true, true};
  EXPECT_THAT(dispatcher().TryDispatch(), IsOkAndHolds(true));
  EXPECT_THAT(dispatcher().TryDispatch(), IsOkAndHolds(true));
  EXPECT_THAT(dispatcher().TryDispatch(), IsOkAndHolds(false));
}

TEST_F(DrivenTest, AnErrorIsItsEnd) {
  driven_->results = {true, absl::CancelledError("over")};
  EXPECT_THAT(dispatcher().TryDispatch(), IsOkAndHolds(false));
  EXPECT_EQ(driven_->results.size(), 1u);
}

TEST_F(DrivenTest, ItWakesTheSessionAndItsTimerDoesToo) {
  ASSERT_OK_AND_ASSIGN(const FdView fd, dispatcher().WaitFd());
  DispatchAll();
  EXPECT_FALSE(IsReadable(fd));
  driven_->Wake();
  EXPECT_TRUE(IsReadable(fd));
  DispatchAll();
  EXPECT_FALSE(IsReadable(fd));
  driven_->timer = Deadline(absl::Milliseconds(1));
  DispatchAll();
  EXPECT_TRUE(BecomesReadable(fd));
}

// R16
TEST_F(SessionDispatcherTest, DrivingTakesFewDescriptorsAndLeavesNone) {
  const World before = World::Now();
  {
    CorePair pair = MakeCorePair(100);
    std::vector<Channel> channels;
    for (int i = 0; i < 100; ++i) {
      channels.push_back(pair.first->channels()->TakeFirst(i));
      pair.first->dispatcher().OnReady(channels.back().pipe(), [] { return true; });
    }
    ASSERT_OK(pair.first->dispatcher().WaitFd());
    EXPECT_THAT(pair.first->dispatcher().TryDispatch(), IsOkAndHolds(false));
    // Of this side, and of the other, which drives nothing: socket, wake-up, both outboxes.
    EXPECT_LE(World::Now().descriptors.size() - before.descriptors.size(), 16u);
  }
  EXPECT_EQ(World::Now(), before);
}

}  // namespace
}  // namespace ipc::testing
