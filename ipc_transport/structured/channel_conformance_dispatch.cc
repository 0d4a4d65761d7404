// The part of the suite about handlers, callbacks, many answers, many threads and event loops.

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "ipc_transport/structured/answers.h"
#include "ipc_transport/structured/channel_conformance.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/counters.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using sluice_test::Parcel;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ParcelAnswer = absl::StatusOr<Incoming<Parcel>>;

constexpr auto kCancelled = absl::StatusCode::kCancelled;
constexpr auto kDeadlineExceeded = absl::StatusCode::kDeadlineExceeded;
constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;

// A message of a type, whose number tells it from others.
Message<Parcel> OfType(StructuredChannel<Parcel>& channel, Parcel::Which type, uint64_t number) {
  Message<Parcel> message = channel.NewMessage();
  message.body().setNumber(number);
  if (type == Parcel::TEXT) message.body().setText("text");
  if (type == Parcel::INNER) message.body().initInner();
  return message;
}

// Runs what there is to run, and waits for nothing.
int DispatchAll(StructuredChannel<Parcel>& channel) {
  int ran = 0;
  while (channel.Dispatch(Deadline::Passed()).ok()) ++ran;
  return ran;
}

TEST_P(ChannelConformance, HandlersRunByTypeAndTheRestWaitsInOrder) {
  auto [a, b] = Both();
  std::vector<std::string> ran;
  const auto note = [&](const char* who) {
    return [&ran, who](Incoming<Parcel> message) { ran.push_back(absl::StrCat(who, message.body().getNumber())); };
  };
  b.On(Parcel::TEXT, note("text "));
  const Parcel::Which types[] = {Parcel::NONE, Parcel::TEXT, Parcel::INNER, Parcel::TEXT, Parcel::NONE};
  for (uint64_t i = 0; i < std::size(types); ++i) ASSERT_OK(a.Send(OfType(a, types[i], i), TimeLimit()));
  EXPECT_EQ(DispatchAll(b), 2);
  EXPECT_THAT(ran, ElementsAre("text 1", "text 3"));
  // One that comes later gets what waits.
  b.Once(Parcel::NONE, note("once "));
  EXPECT_EQ(DispatchAll(b), 1);
  b.OnOther(note("other "));
  b.On(Parcel::TEXT, nullptr);
  ASSERT_OK(a.Send(OfType(a, Parcel::TEXT, 5), TimeLimit()));
  EXPECT_EQ(DispatchAll(b), 3);
  EXPECT_THAT(ran, ElementsAre("text 1", "text 3", "once 0", "other 2", "other 4", "other 5"));
  b.OnOther(nullptr);
  ASSERT_OK(a.Send(OfType(a, Parcel::NONE, 6), TimeLimit()));
  EXPECT_EQ(DispatchAll(b), 0);
  ExpectParcel(b, 6);
}

TEST_P(ChannelConformance, AHandlerMayReplaceItselfSendAndWait) {
  auto [a, b] = Both();
  std::vector<uint64_t> answers;
  a.On(Parcel::TEXT, [&, &a = a](Incoming<Parcel> message) {
    a.On(Parcel::TEXT, nullptr);
    EXPECT_THAT(a.Dispatch(), StatusIs(kFailedPrecondition, HasSubstr("runs already")));
    ParcelAnswer answer = a.Request(Built(a, message.body().getNumber()), TimeLimit());
    ASSERT_THAT(answer, IsOk());
    answers.push_back(answer->body().getNumber());
  });
  ASSERT_OK(b.Send(OfType(b, Parcel::TEXT, 10), TimeLimit()));
  ASSERT_OK(b.Send(OfType(b, Parcel::TEXT, 20), TimeLimit()));
  std::thread server([&b = b] { Serve(b, 1); });
  EXPECT_OK(a.Dispatch(TimeLimit()));
  server.join();
  EXPECT_THAT(answers, ElementsAre(11));
  EXPECT_EQ(DispatchAll(a), 0);
}

// P4
TEST_P(ChannelConformance, AHandlerMayDestroyItsChannel) {
  std::optional<ParcelChannel> a = Mine();
  ParcelChannel b = Theirs();
  int ran = 0;
  a->OnOther([&](Incoming<Parcel>) {
    ++ran;
    a.reset();
  });
  for (int i = 0; i < 3; ++i) ASSERT_OK(b.Send(Built(b, i, 1, 200), TimeLimit()));
  EXPECT_OK(a->Dispatch(TimeLimit()));
  EXPECT_FALSE(a.has_value());
  EXPECT_EQ(ran, 1);
  EXPECT_THAT(b.Receive(TimeLimit()), StatusIs(kUnavailable));
}

TEST_P(ChannelConformance, TheEndIsToldOnceAfterAllThatCameBefore) {
  auto [a, b] = Both();
  std::vector<std::string> ran;
  b.OnOther([&](Incoming<Parcel> message) { ran.push_back(absl::StrCat(message.body().getNumber())); });
  b.OnEnd([&](const absl::Status& end) { ran.push_back(absl::StatusCodeToString(end.code())); });
  for (int i = 0; i < 2; ++i) ASSERT_OK(a.Send(Built(a, i), TimeLimit()));
  a.Close();
  absl::Status end;
  while ((end = b.Dispatch(TimeLimit())).ok()) {
  }
  EXPECT_THAT(end, StatusIs(kUnavailable));
  EXPECT_THAT(b.Dispatch(TimeLimit()), StatusIs(kUnavailable));
  EXPECT_THAT(ran, ElementsAre("0", "1", "UNAVAILABLE"));
}

TEST_P(ChannelConformance, NothingRunsAfterClose) {
  auto [a, b] = Both();
  int ran = 0;
  a.OnOther([&](Incoming<Parcel>) { ++ran; });
  a.OnEnd([&](const absl::Status&) { ++ran; });
  ASSERT_OK(b.Send(Built(b, 1), TimeLimit()));
  ASSERT_OK(a.Request(Built(a, 2), [&](ParcelAnswer) { ++ran; }, TimeLimit()));
  a.Close();
  EXPECT_THAT(a.Dispatch(TimeLimit()), StatusIs(kCancelled));
  EXPECT_EQ(ran, 0);
}

TEST_P(ChannelConformance, CallbacksGetTheirAnswersInDispatch) {
  auto [a, b] = Both();
  std::thread server([&b = b] { Serve(b, 20); });
  std::vector<uint64_t> answers;
  for (uint64_t i = 0; i < 20; ++i) {
    ASSERT_OK(a.Request(
        Built(a, i, 1, i * 700),
        [&, i](ParcelAnswer answer) {
          ASSERT_THAT(answer, IsOk());
          EXPECT_TRUE(IsFilled(answer->body(), i + 1, 1, i * 700));
          answers.push_back(i);
        },
        TimeLimit()));
  }
  while (answers.size() < 20) ASSERT_OK(a.Dispatch(TimeLimit()));
  EXPECT_TRUE(std::is_sorted(answers.begin(), answers.end()));
  server.join();
  EXPECT_EQ(a.counters().requests_outstanding, 0u);
}

TEST_P(ChannelConformance, ACallbackLearnsThatItIsTooLate) {
  auto [a, b] = Both();
  std::vector<absl::StatusCode> codes;
  const auto note = [&](ParcelAnswer answer) { codes.push_back(answer.status().code()); };
  ASSERT_OK(a.Request(Built(a, 1), note, absl::Milliseconds(20)));
  ASSERT_OK(a.Request(Built(a, 2), note, TimeLimit()));
  EXPECT_OK(a.Dispatch(TimeLimit()));
  EXPECT_THAT(codes, ElementsAre(kDeadlineExceeded));
  b.Close();
  EXPECT_OK(a.Dispatch(TimeLimit()));
  EXPECT_THAT(codes, ElementsAre(kDeadlineExceeded, kUnavailable));
  EXPECT_THAT(a.Dispatch(TimeLimit()), StatusIs(kUnavailable));
}

TEST_P(ChannelConformance, ManyAnswersToOneRequest) {
  auto [a, b] = Both();
  std::thread server([&b = b] {
    for (int round = 0; round < 2; ++round) {
      absl::StatusOr<Incoming<Parcel>> request = b.Receive(TimeLimit());
      ASSERT_THAT(request, IsOk());
      for (uint64_t i = 0; i < 30; ++i) {
        ASSERT_THAT(request->ReplyMore(Built(b, i, 1, i * 500), TimeLimit()), IsOk());
      }
      ASSERT_THAT(request->Reply(Built(b, 30), TimeLimit()), IsOk());
      EXPECT_THAT(request->ReplyMore(Built(b, 31)), StatusIs(kFailedPrecondition, HasSubstr("answered already")));
    }
  });
  absl::StatusOr<Answers<Parcel>> answers = a.RequestMany(Built(a, 1), TimeLimit());
  ASSERT_OK(answers);
  for (uint64_t i = 0; i <= 30; ++i) {
    ASSERT_OK_AND_ASSIGN(const std::optional<Incoming<Parcel>> answer, answers->Next(TimeLimit()));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->body().getNumber(), i);
    EXPECT_EQ(answer->more_follow(), i < 30);
  }
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const std::optional<Incoming<Parcel>> none, answers->Next(TimeLimit()));
    EXPECT_FALSE(none.has_value());
  }
  uint64_t next = 0;
  ASSERT_OK(a.RequestMany(
      Built(a, 1),
      [&](ParcelAnswer answer) {
        ASSERT_THAT(answer, IsOk());
        EXPECT_EQ(answer->body().getNumber(), next++);
      },
      TimeLimit()));
  while (next <= 30) ASSERT_OK(a.Dispatch(TimeLimit()));
  server.join();
  EXPECT_EQ(a.counters().late_answers, 0u);
}

TEST_P(ChannelConformance, AnswersThatNobodyWantsAreToldToBothSidesAndKillNothing) {
  auto [a, b] = Both();
  {
    const absl::StatusOr<Answers<Parcel>> answers = a.RequestMany(Built(a, 1), TimeLimit());
    ASSERT_OK(answers);
  }
  ASSERT_OK_AND_ASSIGN(Incoming<Parcel> request, b.Receive(TimeLimit()));
  ASSERT_OK(request.ReplyMore(Built(b, 1, 1, 500), TimeLimit()));
  ASSERT_OK(request.Reply(Built(b, 2), TimeLimit()));
  std::thread server([&b = b] { Serve(b, 1); });
  ASSERT_OK(a.Request(Built(a, 3), TimeLimit()));
  server.join();
  EXPECT_EQ(a.counters().late_answers, 2u);
  ASSERT_OK(a.Send(Built(a, 4), TimeLimit()));
  ExpectParcel(b, 4);
  EXPECT_EQ(b.counters().unwanted_answers, 2u);
}

TEST_P(ChannelConformance, ARequestThatIsLetGoOfEndsWithoutItsDeadline) {
  auto [a, b] = Both();
  std::thread server([&b = b] {
    for (int i = 0; i < 2; ++i) EXPECT_THAT(b.Receive(TimeLimit()), IsOk());  // Destroyed at once.
    absl::StatusOr<Incoming<Parcel>> many = b.Receive(TimeLimit());
    ASSERT_THAT(many, IsOk());
    ASSERT_THAT(many->ReplyMore(Built(b, 5), TimeLimit()), IsOk());
    Incoming<Parcel> taken = *std::move(many);
    absl::StatusOr<Incoming<Parcel>> last = b.Receive(TimeLimit());
    ASSERT_THAT(last, IsOk());
    ASSERT_THAT(last->Reply(Built(b, 6), TimeLimit()), IsOk());  // Answered: nothing more is told.
  });
  const absl::Status end = a.Request(Built(a, 1, 1, 10'000), Deadline::Never()).status();
  EXPECT_THAT(end, StatusIs(kUnavailable, HasSubstr("without an answer")));
  EXPECT_EQ(ReasonOf(end), Reason::kNoAnswer);
  absl::Status told;
  ASSERT_OK(a.Request(Built(a, 2), [&](ParcelAnswer answer) { told = answer.status(); }, Deadline::Never()));
  while (told.ok()) ASSERT_OK(a.Dispatch(TimeLimit()));
  EXPECT_EQ(ReasonOf(told), Reason::kNoAnswer);
  absl::StatusOr<Answers<Parcel>> answers = a.RequestMany(Built(a, 3), TimeLimit());
  ASSERT_OK(answers);
  ASSERT_OK_AND_ASSIGN(const std::optional<Incoming<Parcel>> first, answers->Next(TimeLimit()));
  EXPECT_TRUE(first.has_value());
  EXPECT_THAT(a.Request(Built(a, 4), TimeLimit()), IsOk());
  server.join();
  EXPECT_EQ(ReasonOf(answers->Next(TimeLimit()).status()), Reason::kNoAnswer);
}

TEST_P(ChannelConformance, ARequestThatIsTooLargeIsToldSo) {
  ParcelChannel a = Mine();
  auto b = ParcelChannel::Upgrade(std::move(theirs_.channels[0]), theirs_.store, {.max_heap_message_bytes = 0});
  Message<Parcel> on_heap;
  Fill(on_heap.body(), 1, 1, 100'000);
  std::thread server([&b = b] {
    EXPECT_THAT(b.Receive(TimeLimit()), StatusIs(kResourceExhausted));
    ExpectParcel(b, 2);  // What is dropped has to be read, too.
  });
  const absl::Status end = a.Request(std::move(on_heap), Deadline::Never()).status();
  EXPECT_EQ(ReasonOf(end), Reason::kNoAnswer);
  ASSERT_OK(a.Send(Built(a, 2), TimeLimit()));
  server.join();
}

TEST_P(ChannelConformance, AnAnswerMayAskInTurn) {
  auto [a, b] = Both();
  std::thread server([&b = b] {
    absl::StatusOr<Incoming<Parcel>> request = b.Receive(TimeLimit());
    ASSERT_THAT(request, IsOk());
    absl::StatusOr<Incoming<Parcel>> next = request->ReplyAndRequest(Built(b, 2), TimeLimit());
    ASSERT_THAT(next, IsOk());
    EXPECT_EQ(next->body().getNumber(), 3u);
    EXPECT_FALSE(next->expects_reply());
    EXPECT_THAT(request->Reply(Built(b, 5)), StatusIs(kFailedPrecondition, HasSubstr("answered already")));
  });
  ASSERT_OK_AND_ASSIGN(Incoming<Parcel> answer, a.Request(Built(a, 1), TimeLimit()));
  EXPECT_EQ(answer.body().getNumber(), 2u);
  ASSERT_TRUE(answer.expects_reply());
  ASSERT_OK(answer.Reply(Built(a, 3), TimeLimit()));
  server.join();
}

// Answers come in the reverse order of the requests, so none can wait for another.
TEST_P(ChannelConformance, RequestsOfManyThreadsProceedIndependently) {
  constexpr uint64_t kThreads = 8;
  auto [a, b] = Both();
  std::vector<std::thread> clients;
  for (uint64_t i = 0; i < kThreads; ++i) {
    clients.emplace_back([&a = a, i] {
      for (uint64_t round = 0; round < 5; ++round) {
        const ParcelAnswer answer = a.Request(Built(a, 100 * i + round), TimeLimit());
        ASSERT_THAT(answer, IsOk());
        EXPECT_EQ(answer->body().getNumber(), 100 * i + round + 1);
      }
    });
  }
  for (uint64_t round = 0; round < 5; ++round) {
    std::vector<Incoming<Parcel>> requests;
    for (uint64_t i = 0; i < kThreads; ++i) {
      absl::StatusOr<Incoming<Parcel>> request = b.Receive(TimeLimit());
      ASSERT_OK(request);
      requests.push_back(*std::move(request));
    }
    for (auto request = requests.rbegin(); request != requests.rend(); ++request) {
      ASSERT_OK(request->Reply(Built(b, request->body().getNumber() + 1), TimeLimit()));
    }
  }
  for (std::thread& client : clients) client.join();
}

TEST_P(ChannelConformance, OneThreadDispatchesWhileOthersRequest) {
  auto [a, b] = Both();
  std::atomic<int> handled = 0;
  a.OnOther([&](Incoming<Parcel>) { ++handled; });
  std::thread server([&b = b] {
    for (int i = 0; i < 200; ++i) {
      absl::StatusOr<Incoming<Parcel>> request = b.Receive(TimeLimit());
      ASSERT_THAT(request, IsOk());
      ASSERT_THAT(b.Send(Built(b, i), TimeLimit()), IsOk());
      ASSERT_THAT(request->Reply(Built(b, request->body().getNumber()), TimeLimit()), IsOk());
    }
  });
  std::vector<std::thread> clients;
  for (uint64_t client = 0; client < 2; ++client) {
    clients.emplace_back([&a = a, client] {
      for (uint64_t i = 0; i < 100; ++i) {
        const ParcelAnswer answer = a.Request(Built(a, client * 1000 + i), TimeLimit());
        ASSERT_THAT(answer, IsOk());
        EXPECT_EQ(answer->body().getNumber(), client * 1000 + i);
      }
    });
  }
  while (handled < 200) ASSERT_OK(a.Dispatch(TimeLimit()));
  for (std::thread& client : clients) client.join();
  server.join();
}

TEST_P(ChannelConformance, AClientGetsItsAnswerHoweverManyMessagesComeFirst) {
  const uint64_t kMessages = StructuredChannelOptions().max_waiting_messages;
  auto [a, b] = Both();
  std::thread server([&, &b = b] {
    absl::StatusOr<Incoming<Parcel>> request = b.Receive(TimeLimit());
    ASSERT_THAT(request, IsOk());
    for (uint64_t i = 0; i < kMessages; ++i) ASSERT_THAT(b.Send(Built(b, i), TimeLimit()), IsOk());
    // No more now, but answers always.
    EXPECT_THAT(b.Send(Built(b, kMessages), Deadline::Passed()), StatusIs(kDeadlineExceeded));
    ASSERT_THAT(request->Reply(Built(b, 7), TimeLimit()), IsOk());
    ASSERT_THAT(b.Send(Built(b, kMessages), TimeLimit()), IsOk());
  });
  const ParcelAnswer answer = a.Request(Built(a, 1), TimeLimit());
  ASSERT_OK(answer);
  EXPECT_EQ(answer->body().getNumber(), 7u);
  for (uint64_t i = 0; i <= kMessages; ++i) ExpectParcel(a, i);
  server.join();
}

// Four threads send, ask and answer messages of random sizes, each checked byte for byte; a million of them in the
// stress variants.
TEST_P(ChannelConformance, ManyMessagesOfManyThreads) {
  const char* const text = std::getenv("CHANNEL_CONFORMANCE_MESSAGES");
  int messages = 2'000;
  ASSERT_TRUE(text == nullptr || absl::SimpleAtoi(text, &messages)) << text;
  constexpr uint64_t kThreads = 4;
  const uint64_t per_thread = messages / kThreads;
  auto [a, b] = Both();
  // Small most often. The number says all of a message.
  const auto bytes_of = [](uint64_t number) {
    const uint64_t random = number * 0x9E3779B97F4A7C15u >> 40;
    return random % 50 == 0 ? random % 200'000 : random % 8 == 0 ? random % 4'000 : random % 100;
  };
  std::vector<std::thread> clients;
  for (uint64_t thread = 0; thread < kThreads; ++thread) {
    clients.emplace_back([&, thread, &a = a] {
      for (uint64_t i = 0; i < per_thread; ++i) {
        const uint64_t number = thread * per_thread + i;
        if (i % 2 == 0) {
          ASSERT_THAT(a.Send(Built(a, number, 1, bytes_of(number)), TimeLimit()), IsOk());
          continue;
        }
        const ParcelAnswer answer = a.Request(Built(a, number, 1, bytes_of(number)), TimeLimit());
        ASSERT_THAT(answer, IsOk());
        ASSERT_TRUE(IsFilled(answer->body(), number + 1, 1, bytes_of(number + 1)));
      }
    });
  }
  std::vector<uint64_t> next(kThreads);
  for (uint64_t i = 0; i < kThreads * per_thread; ++i) {
    absl::StatusOr<Incoming<Parcel>> incoming = b.Receive(TimeLimit());
    ASSERT_OK(incoming);
    const uint64_t number = incoming->body().getNumber();
    ASSERT_LT(number / per_thread, kThreads);
    EXPECT_EQ(number % per_thread, next[number / per_thread]++);
    ASSERT_TRUE(IsFilled(incoming->body(), number, 1, bytes_of(number)));
    if (!incoming->expects_reply()) continue;
    ASSERT_OK(incoming->Reply(Built(b, number + 1, 1, bytes_of(number + 1)), TimeLimit()));
  }
  for (std::thread& client : clients) client.join();
}

// As an event loop does.
TEST_P(ChannelConformance, TheEventDescriptorTellsOfAllThatCanRun) {
  auto [a, b] = Both();
  int handled = 0;
  a.OnOther([&](Incoming<Parcel>) { ++handled; });
  ASSERT_OK_AND_ASSIGN(const FdView fd, a.event_fd());
  const auto run = [&, &a = a] {
    EXPECT_TRUE(BecomesReadable(fd));
    while (true) {
      const absl::StatusOr<bool> ran = a.TryDispatch();
      ASSERT_OK(ran);
      if (!*ran) return;
    }
  };
  run();
  EXPECT_FALSE(IsReadable(fd));
  for (int i = 0; i < 3; ++i) ASSERT_OK(b.Send(Built(b, i), TimeLimit()));
  while (handled < 3) run();
  EXPECT_THAT(a.TryDispatch(), IsOkAndHolds(false));
  EXPECT_FALSE(IsReadable(fd));
  // Still readable after one of two.
  for (int i = 0; i < 2; ++i) ASSERT_OK(b.Send(Built(b, i), TimeLimit()));
  EXPECT_TRUE(BecomesReadable(fd));
  ASSERT_THAT(a.TryDispatch(), IsOkAndHolds(true));
  EXPECT_TRUE(BecomesReadable(fd));
  while (handled < 5) run();
  // A deadline of a callback.
  bool late = false;
  ASSERT_OK(a.Request(Built(a, 1), [&](ParcelAnswer answer) { late = !answer.ok(); }, absl::Milliseconds(20)));
  while (!late) run();
  // What another thread has read.
  std::thread client([&a = a] { EXPECT_THAT(a.Request(Built(a, 2), TimeLimit()), IsOk()); });
  ASSERT_OK(b.Receive(TimeLimit()));
  ASSERT_OK_AND_ASSIGN(Incoming<Parcel> request, b.Receive(TimeLimit()));
  ASSERT_OK(b.Send(Built(b, 5), TimeLimit()));
  ASSERT_OK(request.Reply(Built(b, 6), TimeLimit()));
  client.join();
  while (handled < 6) run();
  // The end.
  std::string end;
  a.OnEnd([&](const absl::Status& status) { end = status.ToString(); });
  b.Close();
  while (end.empty()) {
    EXPECT_TRUE(BecomesReadable(fd));
    a.TryDispatch().status().IgnoreError();
  }
  EXPECT_THAT(end, HasSubstr("UNAVAILABLE"));
}

TEST_P(ChannelConformance, CountsWhatPasses) {
  auto a = ParcelChannel::Upgrade(std::move(mine_.channels[0]), mine_.store, {.measure_round_trips = true});
  ParcelChannel b = Theirs();
  ASSERT_OK(a.Send(OfType(a, Parcel::TEXT, 1), TimeLimit()));
  ASSERT_OK(b.Receive(TimeLimit()));
  std::thread server([&b = b] { Serve(b, 3); });
  for (int i = 0; i < 3; ++i) ASSERT_OK(a.Request(Built(a, i, 1, 50'000), TimeLimit()));
  server.join();
  const StructuredCounters mine = a.counters();
  const StructuredCounters theirs = b.counters();
  EXPECT_EQ(mine.sent.messages, 4u);
  EXPECT_EQ(mine.sent.types[Parcel::TEXT], 1u);
  EXPECT_EQ(mine.sent.types[Parcel::NONE], 3u);
  EXPECT_EQ(theirs.received.types, mine.sent.types);
  EXPECT_EQ(mine.received.messages, 3u);
  EXPECT_EQ(mine.sent.stored_messages, mine_.store == nullptr ? 0u : 3u);
  EXPECT_EQ(theirs.received.stored_messages, mine.sent.stored_messages);
  EXPECT_GT(mine.sent.bytes + mine.sent.stored_bytes, 150'000u);
  EXPECT_EQ(theirs.received.bytes, mine.sent.bytes);
  EXPECT_GE(theirs.received.stored_bytes, mine_.store == nullptr ? 0 : 150'000u);
  EXPECT_EQ(mine.requests_outstanding, 0u);
  uint64_t round_trips = 0;
  for (const uint64_t count : mine.round_trips) round_trips += count;
  EXPECT_EQ(round_trips, 3u);
}

}  // namespace
}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
