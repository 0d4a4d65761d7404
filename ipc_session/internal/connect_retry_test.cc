#include "ipc_session/internal/connect_retry.h"

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "ipc_util/status.h"

namespace ipc::testing {
namespace {

using ipc::internal::IsBusy;
using ipc::internal::MayPass;

TEST(ConnectRetryTest, NoServerADeadOneAndALimitMayPass) {
  for (const Reason reason : {Reason::kNoServer, Reason::kGone, Reason::kKilled, Reason::kNone}) {
    EXPECT_TRUE(MayPass(WithReason(absl::UnavailableError(""), reason))) << Name(reason);
  }
  EXPECT_TRUE(MayPass(WithReason(absl::ResourceExhaustedError(""), Reason::kLimit)));
}

TEST(ConnectRetryTest, RefusalsAndOwnLimitsDoNot) {
  EXPECT_FALSE(MayPass(absl::OkStatus()));
  EXPECT_FALSE(MayPass(absl::ResourceExhaustedError("this process has no descriptors")));
  EXPECT_FALSE(MayPass(WithReason(absl::PermissionDeniedError(""), Reason::kNotListed)));
  EXPECT_FALSE(MayPass(WithReason(absl::FailedPreconditionError(""), Reason::kWrongKind)));
  EXPECT_FALSE(MayPass(absl::InvalidArgumentError("")));
  EXPECT_FALSE(MayPass(absl::DataLossError("")));
  EXPECT_FALSE(MayPass(absl::DeadlineExceededError("")));
}

TEST(ConnectRetryTest, ABusyServerIsNotOneWithTooManySessions) {
  EXPECT_TRUE(IsBusy(WithReason(absl::UnavailableError(""), Reason::kLimit)));
  EXPECT_TRUE(MayPass(WithReason(absl::UnavailableError(""), Reason::kLimit)));
  EXPECT_FALSE(IsBusy(WithReason(absl::ResourceExhaustedError(""), Reason::kLimit)));
  EXPECT_FALSE(IsBusy(WithReason(absl::UnavailableError(""), Reason::kNoServer)));
}

}  // namespace
}  // namespace ipc::testing
