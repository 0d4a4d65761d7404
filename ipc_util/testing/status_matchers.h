// Matchers for absl::Status and absl::StatusOr.

#ifndef SLUICE_IPC_UTIL_TESTING_STATUS_MATCHERS_H_
#define SLUICE_IPC_UTIL_TESTING_STATUS_MATCHERS_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, negation ? "is an error" : "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

// An error of `code` whose text `message` matches.
MATCHER_P2(StatusIs, code, message, "has the code " + absl::StatusCodeToString(code)) {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code &&
         ::testing::ExplainMatchResult(message, std::string(StatusOf(arg).message()), result_listener);
}
inline auto StatusIs(absl::StatusCode code) { return StatusIs(code, ::testing::_); }

MATCHER_P(IsOkAndHolds, value, "is OK and holds what matches") {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  return ::testing::ExplainMatchResult(value, *arg, result_listener);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#define EXPECT_OK(expression) EXPECT_THAT(expression, ::ipc::testing::IsOk())
#define ASSERT_OK(expression) ASSERT_THAT(expression, ::ipc::testing::IsOk())

// Declares or assigns `target` the value of `expression`, a StatusOr; ends the test when it has none.
#define ASSERT_OK_AND_ASSIGN(target, expression) \
  SLUICE_ASSERT_OK_AND_ASSIGN_(SLUICE_TESTING_CONCAT_(sluice_result_, __LINE__), target, expression)
#define SLUICE_TESTING_CONCAT_(a, b) SLUICE_TESTING_CONCAT_2_(a, b)
#define SLUICE_TESTING_CONCAT_2_(a, b) a##b
#define SLUICE_ASSERT_OK_AND_ASSIGN_(result, target, expression) \
  auto result = (expression);                                    \
  ASSERT_THAT(result, ::ipc::testing::IsOk());                   \
  target = *std::move(result)

#endif  // SLUICE_IPC_UTIL_TESTING_STATUS_MATCHERS_H_
