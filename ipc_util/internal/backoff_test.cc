#include "ipc_util/internal/backoff.h"

#include <cerrno>
#include <cstdint>
#include <set>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ipc::internal::Backoff;
using ipc::internal::RetryUntil;
using ::testing::HasSubstr;

bool IsUnavailableStatus(const absl::Status& status) { return absl::IsUnavailable(status); }

TEST(BackoffTest, TheCeilingDoublesUpToTheMaximum) {
  for (int round = 0; round < 1000; ++round) {
    Backoff backoff(absl::Milliseconds(1), absl::Milliseconds(5));
    for (const int ceiling : {1, 2, 4, 5, 5}) {
      const absl::Duration time = backoff.Next();
      ASSERT_GT(time, absl::ZeroDuration());
      ASSERT_LE(time, absl::Milliseconds(ceiling));
    }
    backoff.Reset();
    ASSERT_LE(backoff.Next(), absl::Milliseconds(1));
  }
}

TEST(BackoffTest, TimesAreSpreadUpToTheCeiling) {
  Backoff backoff(absl::Milliseconds(8), absl::Milliseconds(8));
  std::set<int64_t> whole_milliseconds;
  for (int i = 0; i < 1000; ++i) whole_milliseconds.insert(absl::ToInt64Milliseconds(backoff.Next()));
  EXPECT_GE(whole_milliseconds.size(), 8u);
}

// B6: those who start together go apart.
TEST(BackoffTest, NoTwoAreAlike) {
  std::set<absl::Duration> times;
  for (int i = 0; i < 100; ++i) times.insert(Backoff(absl::Seconds(1), absl::Seconds(1)).Next());
  EXPECT_GT(times.size(), 95u);
}

TEST(BackoffTest, APauseEndsWithTheDeadline) {
  Backoff backoff(absl::Hours(1000), absl::Hours(1000));
  EXPECT_FALSE(backoff.Pause(absl::Milliseconds(1)));
  EXPECT_FALSE(backoff.Pause(Deadline::Passed()));
  Backoff brief(absl::Nanoseconds(10), absl::Nanoseconds(10));
  EXPECT_TRUE(brief.Pause(TimeLimit()));
}

// P3, F27
TEST(BackoffTest, ASignalDoesNotCutAPauseShort) {
  const OsTesting os({FailCall("Poll", EINTR)});
  Backoff backoff(absl::Hours(1000), absl::Hours(1000));
  EXPECT_FALSE(backoff.Pause(absl::Milliseconds(50)));
  EXPECT_EQ(os.interventions(), 1);
  EXPECT_GE(os.calls("Poll"), 2);
}

TEST(RetryUntilTest, TriesUntilItIsOk) {
  Backoff backoff;
  int attempts = 0;
  EXPECT_OK(RetryUntil(Deadline::Never(), backoff, IsUnavailableStatus,
                       [&] { return ++attempts < 5 ? absl::UnavailableError("not yet") : absl::OkStatus(); }));
  EXPECT_EQ(attempts, 5);
}

TEST(RetryUntilTest, WhatDoesNotPassIsReturnedAtOnce) {
  Backoff backoff;
  int attempts = 0;
  EXPECT_THAT(
      RetryUntil(
          Deadline::Never(), backoff, IsUnavailableStatus,
          [&] { return ++attempts < 3 ? absl::UnavailableError("not yet") : absl::PermissionDeniedError("never"); }),
      StatusIs(absl::StatusCode::kPermissionDenied, "never"));
  EXPECT_EQ(attempts, 3);
}

TEST(RetryUntilTest, TheLastFailureIsInTheErrorOfTheDeadline) {
  Backoff backoff;
  const absl::Status status = RetryUntil(absl::Milliseconds(3), backoff, IsUnavailableStatus, [] {
    return WithReason(absl::UnavailableError("nobody"), Reason::kNoServer);
  });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("nobody")));
  EXPECT_EQ(ReasonOf(status), Reason::kNoServer);
}

// An attempt that the deadline itself ended tells less than the one before.
TEST(RetryUntilTest, AnAttemptThatTheDeadlineEndedIsNotTheLastWord) {
  Backoff backoff;
  int attempts = 0;
  const absl::Status status = RetryUntil(Deadline::Never(), backoff, IsUnavailableStatus, [&] {
    return ++attempts == 1 ? WithReason(absl::UnavailableError("nobody"), Reason::kNoServer)
                           : absl::DeadlineExceededError("late");
  });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("nobody")));
  EXPECT_EQ(ReasonOf(status), Reason::kNoServer);
  EXPECT_THAT(
      RetryUntil(Deadline::Never(), backoff, IsUnavailableStatus, [] { return absl::DeadlineExceededError("late"); }),
      StatusIs(absl::StatusCode::kDeadlineExceeded, "late"));
}

TEST(RetryUntilTest, TriesOnceWhereTheDeadlineHasPassed) {
  Backoff backoff;
  int attempts = 0;
  EXPECT_THAT(RetryUntil(Deadline::Passed(), backoff, IsUnavailableStatus,
                         [&] {
                           ++attempts;
                           return absl::UnavailableError("not yet");
                         }),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(attempts, 1);
}

}  // namespace
}  // namespace ipc::testing
