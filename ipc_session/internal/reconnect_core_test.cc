#include "ipc_session/internal/reconnect_core.h"

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/reconnect_options.h"
#include "ipc_session/session_terms.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ipc::internal::ReconnectCore;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kTooLate = absl::StatusCode::kDeadlineExceeded;

// Delays that no test waits for.
constexpr ReconnectOptions kFarApart = {.initial_delay = absl::Minutes(30), .maximum_delay = absl::Hours(1)};

// Connects as `outcomes` say, one after the other, and then always.
class ReconnectCoreTest : public ::testing::Test {
 protected:
  absl::Status Next(ReconnectCore& core, Deadline deadline = TimeLimit()) {
    return core.Next(deadline, [this](const SessionOptions& options) {
      EXPECT_FALSE(options.wait_for_server);
      const size_t attempt = attempts_++;
      return attempt < outcomes_.size() ? outcomes_[attempt] : absl::OkStatus();
    });
  }

  std::vector<absl::Status> outcomes_;
  size_t attempts_ = 0;
};

TEST_F(ReconnectCoreTest, BadOptionsAreTheErrorOfEachCall) {
  ReconnectCore core({}, {.initial_delay = absl::ZeroDuration()});
  EXPECT_THAT(Next(core), StatusIs(kInvalid));
  EXPECT_EQ(attempts_, 0u);
}

TEST_F(ReconnectCoreTest, TheFirstAttemptDoesNotWait) {
  SessionOptions options;
  options.wait_for_server = true;
  ReconnectCore core(options, kFarApart);
  EXPECT_OK(Next(core));
}

TEST_F(ReconnectCoreTest, TheNextSessionIsWaitedFor) {
  ReconnectCore core({}, kFarApart);
  EXPECT_OK(Next(core));
  EXPECT_THAT(Next(core, absl::Milliseconds(1)), StatusIs(kTooLate));
  EXPECT_EQ(attempts_, 1u);
}

TEST_F(ReconnectCoreTest, TriesUntilItIsConnected) {
  outcomes_ = {absl::UnavailableError(""), WithReason(absl::ResourceExhaustedError(""), Reason::kLimit),
               absl::UnavailableError("")};
  ReconnectCore core({}, {.initial_delay = absl::Milliseconds(1), .maximum_delay = absl::Milliseconds(1)});
  EXPECT_OK(Next(core));
  EXPECT_EQ(attempts_, 4u);
}

TEST_F(ReconnectCoreTest, WhatWaitingDoesNotMendIsReturnedAndMayBeAskedForAgain) {
  outcomes_ = {absl::PermissionDeniedError("refused")};
  ReconnectCore core({}, {.initial_delay = absl::Milliseconds(1), .maximum_delay = absl::Milliseconds(1)});
  EXPECT_THAT(Next(core), StatusIs(absl::StatusCode::kPermissionDenied, "refused"));
  EXPECT_OK(Next(core));
}

TEST_F(ReconnectCoreTest, TheLastFailureIsInTheErrorOfTheDeadline) {
  outcomes_ = {WithReason(absl::UnavailableError("nobody"), Reason::kNoServer)};
  ReconnectCore core({}, kFarApart);
  const absl::Status status = Next(core, absl::Milliseconds(1));
  EXPECT_THAT(status, StatusIs(kTooLate, HasSubstr("nobody")));
  EXPECT_EQ(ReasonOf(status), Reason::kNoServer);
}

// A server that takes clients in and dies at once is no reason to hurry.
TEST_F(ReconnectCoreTest, SessionsThatDoNotLastCountAsFailures) {
  ReconnectCore core({}, {.initial_delay = absl::Nanoseconds(1), .maximum_delay = absl::Hours(1)});
  // 42 doublings lead from 1 ns to an hour.
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) status = Next(core, absl::Milliseconds(20));
  EXPECT_THAT(status, StatusIs(kTooLate, HasSubstr("before it was time to connect again")));
}

TEST_F(ReconnectCoreTest, SessionsThatLastDoNot) {
  ReconnectCore core(
      {},
      {.initial_delay = absl::Nanoseconds(1), .maximum_delay = absl::Hours(1), .steady_after = absl::ZeroDuration()});
  for (int i = 0; i < 100; ++i) EXPECT_OK(Next(core));
}

}  // namespace
}  // namespace ipc::testing
