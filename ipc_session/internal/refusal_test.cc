#include "ipc_session/internal/refusal.h"

#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::FromBody;
using ::ipc::internal::Refusal;
using ::ipc::internal::RefusalBody;
using ::ipc::internal::ToBody;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(RefusalTest, TravelsUnchanged) {
  for (const auto code : {absl::StatusCode::kPermissionDenied, absl::StatusCode::kFailedPrecondition,
                          absl::StatusCode::kResourceExhausted, absl::StatusCode::kDataLoss,
                          absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kUnavailable}) {
    for (const Reason reason : {Reason::kNone, Reason::kNotListed, Reason::kWrongUser, Reason::kWrongExecutable,
                                Reason::kWrongKind, Reason::kWrongVersion, Reason::kLimit, Reason::kWrongLimits}) {
      const Refusal refusal = {.code = code, .reason = reason, .text = "why"};
      EXPECT_THAT(FromBody(ToBody(refusal)), IsOkAndHolds(refusal));
    }
  }
}

TEST(RefusalTest, BecomesTheCallersError) {
  const absl::Status status = Refusal::AtALimit("too many").ToStatus();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, "refused: too many"));
  EXPECT_EQ(ReasonOf(status), Reason::kLimit);
}

TEST(RefusalTest, ATextThatDoesNotFitIsCutAndMadePrintable) {
  const std::string text = "a\n\xff" + std::string(2 * Refusal::kMaxTextBytes, 'b');
  ASSERT_OK_AND_ASSIGN(const Refusal got, FromBody(ToBody({.text = text})));
  EXPECT_EQ(got.text, "a??" + std::string(Refusal::kMaxTextBytes - 3, 'b'));
}

TEST(RefusalTest, ACodeOfNoRefusalBecomesUnavailable) {
  ASSERT_OK_AND_ASSIGN(const Refusal got, FromBody(ToBody({.code = absl::StatusCode::kInternal, .text = "x"})));
  EXPECT_EQ(got.code, absl::StatusCode::kUnavailable);
}

// M3, M5
TEST(RefusalTest, WhatCannotBeIsRefused) {
  const RefusalBody good = ToBody({.text = "why"});
  RefusalBody body = good;
  body.code = 7;
  EXPECT_THAT(FromBody(body), StatusIs(kInvalid, HasSubstr("unknown code")));
  body = good;
  body.text_bytes = Refusal::kMaxTextBytes + 1;
  EXPECT_THAT(FromBody(body), StatusIs(kInvalid, HasSubstr("too long")));
  body = good;
  body.text[1] = '\0';
  EXPECT_THAT(FromBody(body), StatusIs(kInvalid, HasSubstr("no text")));
  body = good;
  body.reason = 999;
  ASSERT_OK_AND_ASSIGN(const Refusal later, FromBody(body));
  EXPECT_EQ(later.reason, Reason::kNone);
}

}  // namespace
}  // namespace ipc::testing
