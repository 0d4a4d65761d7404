#include "ipc_transport/structured/answers.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/message.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using sluice_test::Parcel;
using ::testing::HasSubstr;
using testing::StatusIs;
using testing::TimeLimit;

using ParcelChannel = StructuredChannel<Parcel>;

constexpr auto kDeadlineExceeded = absl::StatusCode::kDeadlineExceeded;

class AnswersTest : public ::testing::Test {
 protected:
  void SetUp() override { Connect({}); }

  void Connect(const StructuredChannelOptions& options) {
    auto pair = RingPipe::CreatePair();
    ASSERT_OK(pair);
    client_ = ParcelChannel::Upgrade(Channel(std::move(pair->first)), nullptr, options);
    server_ = ParcelChannel::Upgrade(Channel(std::move(pair->second)), nullptr, options);
  }

  static Message<Parcel> Numbered(uint64_t number) {
    Message<Parcel> message;
    message.body().setNumber(number);
    return message;
  }

  // A request for many answers, and what the server has of it.
  struct Asked {
    Answers<Parcel> answers;
    Incoming<Parcel> request;
  };
  std::optional<Asked> Ask() {
    absl::StatusOr<Answers<Parcel>> answers = client_->RequestMany(Numbered(0), TimeLimit());
    EXPECT_OK(answers);
    absl::StatusOr<Incoming<Parcel>> request = server_->Receive(TimeLimit());
    EXPECT_OK(request);
    if (!answers.ok() || !request.ok()) return std::nullopt;
    return Asked{*std::move(answers), *std::move(request)};
  }

  static void Answer(Incoming<Parcel>& request, uint64_t number) {
    ASSERT_OK(request.ReplyMore(Numbered(number), TimeLimit()));
  }
  static void AnswerLast(Incoming<Parcel>& request, uint64_t number) {
    ASSERT_OK(request.Reply(Numbered(number), TimeLimit()));
  }

  static void ExpectNext(Answers<Parcel>& answers, uint64_t number) {
    ASSERT_OK_AND_ASSIGN(const std::optional<Incoming<Parcel>> answer, answers.Next(TimeLimit()));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->body().getNumber(), number);
  }
  static void ExpectNoMore(Answers<Parcel>& answers) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_OK_AND_ASSIGN(const std::optional<Incoming<Parcel>> answer, answers.Next(TimeLimit()));
      EXPECT_FALSE(answer.has_value());
    }
  }

  // Lets the client read what has come.
  void Pump() { EXPECT_THAT(client_->Receive(Deadline::Passed()), StatusIs(kDeadlineExceeded)); }

  std::optional<ParcelChannel> client_;
  std::optional<ParcelChannel> server_;
};

TEST_F(AnswersTest, ComeInTheirOrderAndThenNoMoreAgainAndAgain) {
  std::optional<Asked> asked = Ask();
  ASSERT_TRUE(asked.has_value());
  for (uint64_t i = 1; i <= 3; ++i) Answer(asked->request, i);
  for (uint64_t i = 1; i <= 3; ++i) ExpectNext(asked->answers, i);
  AnswerLast(asked->request, 4);
  ExpectNext(asked->answers, 4);
  ExpectNoMore(asked->answers);
  server_->Close();
  ExpectNoMore(asked->answers);
}

TEST_F(AnswersTest, OfSeveralRequestsGoToTheirOwn) {
  std::optional<Asked> first = Ask();
  std::optional<Asked> second = Ask();
  ASSERT_TRUE(first.has_value() && second.has_value());
  Answer(second->request, 21);
  Answer(first->request, 11);
  AnswerLast(second->request, 22);
  AnswerLast(first->request, 12);
  ExpectNext(first->answers, 11);
  ExpectNext(first->answers, 12);
  ExpectNoMore(first->answers);
  ExpectNext(second->answers, 21);
  ExpectNext(second->answers, 22);
  ExpectNoMore(second->answers);
}

TEST_F(AnswersTest, AreTakenByWhatTheyWereMovedTo) {
  std::optional<Asked> asked = Ask();
  ASSERT_TRUE(asked.has_value());
  Answer(asked->request, 1);
  Answer(asked->request, 2);
  ExpectNext(asked->answers, 1);
  {
    Answers<Parcel> moved = std::move(asked->answers);
    ExpectNext(moved, 2);
    asked->answers = std::move(moved);
  }
  AnswerLast(asked->request, 3);
  ExpectNext(asked->answers, 3);
  ExpectNoMore(asked->answers);
  EXPECT_EQ(client_->counters().late_answers, 0u);
}

TEST_F(AnswersTest, ThatAreReplacedAreLateOnes) {
  std::optional<Asked> first = Ask();
  std::optional<Asked> second = Ask();
  ASSERT_TRUE(first.has_value() && second.has_value());
  first->answers = std::move(second->answers);
  AnswerLast(first->request, 1);
  AnswerLast(second->request, 2);
  ExpectNext(first->answers, 2);
  ExpectNoMore(first->answers);
  EXPECT_EQ(client_->counters().late_answers, 1u);
}

TEST_F(AnswersTest, AssignedToThemselvesGoOn) {
  std::optional<Asked> asked = Ask();
  ASSERT_TRUE(asked.has_value());
  Answers<Parcel>& itself = asked->answers;
  asked->answers = std::move(itself);
  AnswerLast(asked->request, 1);
  ExpectNext(asked->answers, 1);
  ExpectNoMore(asked->answers);
}

TEST_F(AnswersTest, ThatComeOnceTheyAreDestroyedAreLateOnes) {
  std::optional<Asked> asked = Ask();
  ASSERT_TRUE(asked.has_value());
  Answer(asked->request, 1);
  Answer(asked->request, 2);
  {
    Answers<Parcel> dropped = std::move(asked->answers);
    ExpectNext(dropped, 1);
    EXPECT_EQ(client_->counters().requests_outstanding, 1u);
  }
  EXPECT_EQ(client_->counters().requests_outstanding, 0u);
  Answer(asked->request, 3);
  AnswerLast(asked->request, 4);
  Pump();
  // The second waited in the pipe until then.
  EXPECT_EQ(client_->counters().late_answers, 3u);
  EXPECT_THAT(server_->Receive(Deadline::Passed()), StatusIs(kDeadlineExceeded));
  EXPECT_EQ(server_->counters().unwanted_answers, 3u);
}

TEST_F(AnswersTest, ADeadlineEndsNothing) {
  std::optional<Asked> asked = Ask();
  ASSERT_TRUE(asked.has_value());
  EXPECT_THAT(asked->answers.Next(Deadline::Passed()), StatusIs(kDeadlineExceeded));
  AnswerLast(asked->request, 1);
  ExpectNext(asked->answers, 1);
  ExpectNoMore(asked->answers);
  EXPECT_EQ(client_->counters().late_answers, 0u);
}

TEST_F(AnswersTest, ThePeersEndComesAfterWhatItSent) {
  std::optional<Asked> asked = Ask();
  ASSERT_TRUE(asked.has_value());
  Answer(asked->request, 1);
  Answer(asked->request, 2);
  server_->Close();
  ExpectNext(asked->answers, 1);
  ExpectNext(asked->answers, 2);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ReasonOf(asked->answers.Next(TimeLimit()).status()), Reason::kGoodbye);
}

TEST_F(AnswersTest, TooManyThatWaitAreTheEnd) {
  Connect({.max_waiting_messages = 64});
  std::optional<Asked> asked = Ask();
  ASSERT_TRUE(asked.has_value());
  for (uint64_t i = 1; i <= 65; ++i) Answer(asked->request, i);
  Pump();
  AnswerLast(asked->request, 66);
  for (uint64_t i = 1; i <= 64; ++i) ExpectNext(asked->answers, i);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(asked->answers.Next(TimeLimit()),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("max_waiting_messages")));
  }
  Pump();
  EXPECT_EQ(client_->counters().late_answers, 1u);
}

TEST_F(AnswersTest, OutliveTheirChannel) {
  std::optional<Asked> asked = Ask();
  ASSERT_TRUE(asked.has_value());
  client_.reset();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(asked->answers.Next(TimeLimit()), StatusIs(absl::StatusCode::kCancelled));
  }
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
