#include "ipc_transport/structured/internal/pending_requests.h"

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/testing/incoming.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::NewIncoming;
using testing::StatusIs;

constexpr auto kOutOfRange = absl::StatusCode::kOutOfRange;
constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;

class PendingRequestsTest : public ::testing::Test {
 protected:
  PendingRequestsTest() {
    one_.id = 7;
    one_.max_answers = 1;
    many_.id = 9;
    many_.max_answers = 3;
    many_.wants_many = true;
    pending_.Add(one_);
    pending_.Add(many_);
  }

  PendingRequest* File(uint64_t id, uint64_t in_reply_to, bool more_follow = false) {
    IncomingMessage::Ptr answer = NewIncoming(id, {.in_reply_to = in_reply_to, .more_follow = more_follow});
    PendingRequest* const request = pending_.File(answer);
    if (request == nullptr) {
      EXPECT_NE(answer, nullptr);
    }
    return request;
  }

  static void ExpectTakes(PendingRequest& request, uint64_t id) {
    std::optional<absl::StatusOr<IncomingMessage::Ptr>> answer = request.Take();
    ASSERT_TRUE(answer.has_value());
    ASSERT_OK(*answer);
    EXPECT_EQ((**answer)->id(), id);
  }
  // Again and again.
  static absl::Status End(PendingRequest& request) {
    absl::Status end;
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(request.has_news());
      std::optional<absl::StatusOr<IncomingMessage::Ptr>> answer = request.Take();
      if (!answer.has_value()) return absl::UnknownError("it goes on");
      end = answer->status();
    }
    return end;
  }

  PendingRequests pending_;
  PendingRequest one_;
  PendingRequest many_;
};

TEST_F(PendingRequestsTest, NothingIsToldBeforeAnAnswerComes) {
  EXPECT_EQ(pending_.size(), 2u);
  EXPECT_FALSE(one_.has_news());
  EXPECT_FALSE(one_.Take().has_value());
}

TEST_F(PendingRequestsTest, AnAnswerGoesToItsRequestAlone) {
  EXPECT_EQ(File(1, 9, true), &many_);
  EXPECT_TRUE(many_.has_news());
  EXPECT_FALSE(one_.has_news());
  EXPECT_EQ(File(2, 7), &one_);
  ExpectTakes(one_, 2);
  ExpectTakes(many_, 1);
}

TEST_F(PendingRequestsTest, AnAnswerToNobodyStaysTheCallers) {
  EXPECT_EQ(File(1, 8), nullptr);
  EXPECT_EQ(File(1, 0), nullptr);
  EXPECT_FALSE(one_.has_news());
  EXPECT_FALSE(many_.has_news());
  EXPECT_EQ(pending_.size(), 2u);
}

TEST_F(PendingRequestsTest, OneAnswerCompletesARequest) {
  EXPECT_EQ(File(1, 7), &one_);
  EXPECT_EQ(pending_.size(), 1u);
  EXPECT_EQ(File(2, 7), nullptr);
  ExpectTakes(one_, 1);
  EXPECT_THAT(End(one_), StatusIs(kOutOfRange, HasSubstr("all answers to request 7")));
}

TEST_F(PendingRequestsTest, TheFirstOfManyIsTheOneAnswerOfARequestForOne) {
  EXPECT_EQ(File(1, 7, true), &one_);
  EXPECT_EQ(File(2, 7), nullptr);
  ExpectTakes(one_, 1);
  EXPECT_THAT(End(one_), StatusIs(kOutOfRange));
}

TEST_F(PendingRequestsTest, ManyAnswersComeInOrderUntilNoMoreFollow) {
  for (uint64_t id = 1; id <= 2; ++id) EXPECT_EQ(File(id, 9, true), &many_);
  ExpectTakes(many_, 1);
  ExpectTakes(many_, 2);
  EXPECT_FALSE(many_.has_news());
  EXPECT_FALSE(many_.Take().has_value());
  EXPECT_EQ(File(3, 9, true), &many_);
  EXPECT_EQ(File(4, 9), &many_);
  EXPECT_EQ(pending_.size(), 1u);
  EXPECT_EQ(File(5, 9), nullptr);
  ExpectTakes(many_, 3);
  ExpectTakes(many_, 4);
  EXPECT_THAT(End(many_), StatusIs(kOutOfRange, HasSubstr("all answers to request 9")));
}

TEST_F(PendingRequestsTest, TooManyThatWaitEndTheRequestAfterThose) {
  for (uint64_t id = 1; id <= 4; ++id) EXPECT_EQ(File(id, 9, true), &many_);
  EXPECT_EQ(pending_.size(), 1u);
  EXPECT_EQ(File(5, 9), nullptr);
  for (uint64_t id = 1; id <= 3; ++id) ExpectTakes(many_, id);
  EXPECT_THAT(End(many_),
              StatusIs(kResourceExhausted, AllOf(HasSubstr("3 answers to request 9"),
                                                 HasSubstr("StructuredChannelOptions::max_waiting_messages"))));
}

TEST_F(PendingRequestsTest, WhatWasTakenMakesRoomForMoreAnswers) {
  for (uint64_t id = 1; id <= 3; ++id) EXPECT_EQ(File(id, 9, true), &many_);
  ExpectTakes(many_, 1);
  EXPECT_EQ(File(4, 9), &many_);
  for (uint64_t id = 2; id <= 4; ++id) ExpectTakes(many_, id);
  EXPECT_THAT(End(many_), StatusIs(kOutOfRange));
}

TEST_F(PendingRequestsTest, AnAnswerThatFailedIsTheEndAfterThoseThatWait) {
  EXPECT_EQ(File(1, 9, true), &many_);
  EXPECT_EQ(pending_.Fail(9, absl::ResourceExhaustedError("too large")), &many_);
  EXPECT_EQ(File(2, 9), nullptr);
  EXPECT_EQ(pending_.size(), 1u);
  ExpectTakes(many_, 1);
  EXPECT_THAT(End(many_), StatusIs(kResourceExhausted, "too large"));
  EXPECT_FALSE(one_.has_news());
}

TEST_F(PendingRequestsTest, AFailureOfNobodyIsNobodys) {
  EXPECT_EQ(pending_.Fail(8, absl::ResourceExhaustedError("too large")), nullptr);
  EXPECT_FALSE(one_.has_news());
  EXPECT_FALSE(many_.has_news());
}

TEST_F(PendingRequestsTest, NothingReachesARequestThatWasRemoved) {
  pending_.Remove(many_);
  EXPECT_EQ(pending_.size(), 1u);
  EXPECT_EQ(File(1, 9), nullptr);
  EXPECT_EQ(pending_.Fail(9, absl::ResourceExhaustedError("too large")), nullptr);
  EXPECT_FALSE(many_.has_news());
  pending_.Remove(many_);
  EXPECT_EQ(pending_.size(), 1u);
  EXPECT_EQ(File(2, 7), &one_);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
