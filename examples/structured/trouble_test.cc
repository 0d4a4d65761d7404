#include "examples/structured/trouble.h"

#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/structured/asking.h"
#include "examples/structured/connected.h"
#include "examples/structured/file_channel.h"
#include "examples/structured/files.capnp.h"
#include "examples/structured/meeting.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace files {
namespace {

using ::ipc::testing::Child;
using ::ipc::testing::IsOk;
using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::TempDir;
using ::ipc::testing::TimeLimit;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using Answer = absl::StatusOr<ipc::Incoming<Body>>;

ipc::Message<Body> Question(FileChannel& channel, const std::string& name) {
  ipc::Message<Body> message = channel.NewMessage();
  message.body().setRead(name);
  return message;
}

TEST(TroubleTest, ALateAnswerIsDroppedAndTheChannelGoesOn) {
  Connection ends = Connect();
  const Answer none = ends.client.Request(Question(ends.client, "a"), ipc::Deadline::Passed());
  EXPECT_EQ(RemedyOf(none.status()), Remedy::kTryAgain) << none.status();
  const Answer late = ends.client.Request(Question(ends.client, "b"), absl::Milliseconds(20));
  EXPECT_EQ(RemedyOf(late.status()), Remedy::kTryAgain) << late.status();
  std::thread server([&] { EXPECT_OK(ServeReads(ends.service, {{"b", "2"}, {"c", "3"}})); });
  EXPECT_THAT(Read(ends.client, "c"), IsOkAndHolds("3"));
  EXPECT_GE(ends.client.counters().late_answers, 1u);
  ends.client.Close();
  server.join();
}

TEST(TroubleTest, TheSenderLearnsThatTheServiceIsBehind) {
  Connection ends = Connect({}, {.max_waiting_messages = 64});
  int sent = 0;
  absl::StatusOr<bool> logged = true;
  while (sent < 10'000 && (logged = LogUnlessBehind(ends.client, "line")).ok() && *logged) ++sent;
  EXPECT_THAT(logged, IsOkAndHolds(false));
  EXPECT_GE(sent, 64);
  for (int i = 0; i < sent; ++i) ASSERT_OK(ends.service.Receive(TimeLimit()));
  EXPECT_THAT(LogUnlessBehind(ends.client, "line"), IsOkAndHolds(true));
}

constexpr uint64_t kArenaBytes = 1 << 20;

SLUICE_CHILD_ROLE(small_service) {
  return ServeIn(arguments[0], kArenaBytes, [](memory::Session& session) {
    FileChannel channel = FileChannel::Upgrade(session.TakeChannel(0), session);
    for (const uint64_t bytes : {kArenaBytes * 8, uint64_t{100'000}}) {
      Answer request = channel.Receive(TimeLimit());
      if (!request.ok()) return request.status();
      if (absl::Status sent = AnswerContent(channel, bytes, *request); !sent.ok()) return sent;
    }
    session.WaitForEnd(TimeLimit()).IgnoreError();
    return absl::OkStatus();
  });
}

TEST(TroubleTest, WhatDoesNotFitIsToldToTheClient) {
  const TempDir folder;
  Child service = Child::Start("small_service", {folder.path()});
  ASSERT_EQ(service.Hear(), "listening");
  std::optional<memory::Session> session;
  ASSERT_OK_AND_ASSIGN(session, MeetIn(folder.path()));
  FileChannel channel = FileChannel::Upgrade(session->TakeChannel(0), *session);
  {
    ASSERT_OK_AND_ASSIGN(const ipc::Incoming<Body> answer, channel.Request(Question(channel, "large"), TimeLimit()));
    ASSERT_TRUE(answer.body().isFailure());
    EXPECT_THAT(answer.body().getFailure().cStr(), HasSubstr("SessionOptions::arena_bytes"));
    ASSERT_OK_AND_ASSIGN(const ipc::Incoming<Body> next, channel.Request(Question(channel, "small"), TimeLimit()));
    ASSERT_TRUE(next.body().isContent());
    EXPECT_EQ(next.body().getContent()[0].size(), 100'000u);
  }
  session.reset();
  EXPECT_EQ(service.Wait(), 0);
}

// Takes a request, and never answers.
SLUICE_CHILD_ROLE(silent_service) {
  return ServeIn(arguments[0], kArenaBytes, [](memory::Session& session) {
    FileChannel channel = FileChannel::Upgrade(session.TakeChannel(0), session);
    const Answer request = channel.Receive(TimeLimit());
    ipc::testing::TellParent(request.ok() ? "asked" : request.status().ToString());
    return session.WaitForEnd(TimeLimit());
  });
}

TEST(TroubleTest, AKilledPeerEndsEveryWait) {
  const TempDir folder;
  Child service = Child::Start("silent_service", {folder.path()});
  ASSERT_EQ(service.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(memory::Session session, MeetIn(folder.path()));
  FileChannel channel = FileChannel::Upgrade(session.TakeChannel(0), session);
  Answer answer = absl::UnknownError("none");
  std::thread client([&] { answer = channel.Request(Question(channel, "a"), ipc::Deadline::Never()); });
  EXPECT_EQ(service.Hear(), "asked");
  service.Kill();
  client.join();
  EXPECT_EQ(RemedyOf(answer.status()), Remedy::kConnectAgain) << answer.status();
  EXPECT_THAT(ipc::ReasonOf(answer.status()), AnyOf(ipc::Reason::kKilled, ipc::Reason::kGone));
}

TEST(CountersTest, TellWhatPassed) {
  Connection ends = Connect({.measure_round_trips = true});
  EXPECT_EQ(MedianRoundTrip(ends.client.counters()), absl::ZeroDuration());
  std::thread server([&] {
    ASSERT_THAT(ends.service.Receive(TimeLimit()), IsOk());
    EXPECT_OK(ServeReads(ends.service, {{"a", "1"}}));
  });
  EXPECT_OK(Log(ends.client, "hello"));
  EXPECT_THAT(Read(ends.client, "a"), IsOkAndHolds("1"));
  EXPECT_EQ(Describe(ends.client.counters()), "sent 2, of these 1 for the log; received 1; 0 wait, 0 were late");
  EXPECT_GT(MedianRoundTrip(ends.client.counters()), absl::ZeroDuration());
  ends.client.Close();
  server.join();
}

}  // namespace
}  // namespace files
