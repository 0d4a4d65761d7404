#include "ipc_util/internal/status_macros.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

absl::Status Return(const absl::Status& status, int& evaluations, bool& reached) {
  SLUICE_RETURN_IF_ERROR((++evaluations, status));
  reached = true;
  return absl::OkStatus();
}

TEST(ReturnIfErrorTest, ReturnsErrorsAloneAndLooksOnce) {
  int evaluations = 0;
  bool reached = false;
  EXPECT_THAT(Return(absl::DataLossError("text"), evaluations, reached), StatusIs(absl::StatusCode::kDataLoss, "text"));
  EXPECT_FALSE(reached);
  EXPECT_OK(Return(absl::OkStatus(), evaluations, reached));
  EXPECT_TRUE(reached);
  EXPECT_EQ(evaluations, 2);
}

TEST(ReturnIfErrorTest, IsOneStatement) {
  const auto check = [](bool wanted) -> absl::Status {
    if (wanted)
      SLUICE_RETURN_IF_ERROR(absl::AbortedError("if"));
    else
      SLUICE_RETURN_IF_ERROR(absl::AbortedError("else"));
    return absl::OkStatus();
  };
  EXPECT_THAT(check(true), StatusIs(absl::StatusCode::kAborted, "if"));
  EXPECT_THAT(check(false), StatusIs(absl::StatusCode::kAborted, "else"));
}

absl::StatusOr<std::string> Join(absl::StatusOr<std::unique_ptr<int>> first, absl::StatusOr<int> second) {
  SLUICE_ASSIGN_OR_RETURN(const std::unique_ptr<int> number, std::move(first));
  int other;
  SLUICE_ASSIGN_OR_RETURN(other, second);
  return std::to_string(*number) + " " + std::to_string(other);
}

TEST(AssignOrReturnTest, DeclaresAndAssignsValues) {
  EXPECT_THAT(Join(std::make_unique<int>(1), 2), IsOkAndHolds("1 2"));
}

TEST(AssignOrReturnTest, ReturnsErrors) {
  EXPECT_THAT(Join(absl::AbortedError("first"), 2), StatusIs(absl::StatusCode::kAborted, "first"));
  EXPECT_THAT(Join(std::make_unique<int>(1), absl::DataLossError("second")),
              StatusIs(absl::StatusCode::kDataLoss, "second"));
}

}  // namespace
}  // namespace ipc::testing
