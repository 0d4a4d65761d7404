#include "ipc_session/reconnect_options.h"

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(ReconnectOptionsTest, AreValidated) {
  EXPECT_OK(Validate(ReconnectOptions()));
  EXPECT_OK(Validate(ReconnectOptions{.initial_delay = absl::Hours(1), .maximum_delay = absl::Hours(1)}));
  EXPECT_THAT(Validate(ReconnectOptions{.initial_delay = absl::ZeroDuration()}),
              StatusIs(kInvalid, HasSubstr("initial_delay is 0")));
  EXPECT_THAT(Validate(ReconnectOptions{.initial_delay = absl::Seconds(2)}),
              StatusIs(kInvalid, HasSubstr("initial_delay is 2s")));
  EXPECT_THAT(Validate(ReconnectOptions{.maximum_delay = absl::Hours(2)}),
              StatusIs(kInvalid, HasSubstr("maximum_delay is 2h")));
  EXPECT_THAT(Validate(ReconnectOptions{.steady_after = -absl::Seconds(1)}),
              StatusIs(kInvalid, HasSubstr("steady_after is -1s")));
}

}  // namespace
}  // namespace ipc::testing
