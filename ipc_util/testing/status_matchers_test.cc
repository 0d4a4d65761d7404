#include "ipc_util/testing/status_matchers.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const absl::Status kError = absl::DataLossError("some text");

TEST(StatusMatchersTest, TellErrorsFromValues) {
  EXPECT_OK(absl::OkStatus());
  EXPECT_OK(absl::StatusOr<int>(1));
  EXPECT_THAT(kError, Not(IsOk()));
  EXPECT_THAT(absl::StatusOr<int>(kError), Not(IsOk()));
}

TEST(StatusMatchersTest, TellCodesAndTexts) {
  EXPECT_THAT(kError, StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(absl::StatusOr<int>(kError), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("some")));
  EXPECT_THAT(kError, Not(StatusIs(absl::StatusCode::kAborted)));
  EXPECT_THAT(kError, Not(StatusIs(absl::StatusCode::kDataLoss, "other text")));
}

TEST(StatusMatchersTest, TellValues) {
  EXPECT_THAT(absl::StatusOr<int>(2), IsOkAndHolds(2));
  EXPECT_THAT(absl::StatusOr<int>(2), Not(IsOkAndHolds(3)));
  EXPECT_THAT(absl::StatusOr<int>(kError), Not(IsOkAndHolds(2)));
}

TEST(StatusMatchersTest, AssignValues) {
  ASSERT_OK_AND_ASSIGN(const std::string text, absl::StatusOr<std::string>("value"));
  EXPECT_EQ(text, "value");
}

}  // namespace
}  // namespace ipc::testing
