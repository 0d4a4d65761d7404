#include "perf_demo/exit_code.h"

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace cache_demo {
namespace {

TEST(ExitCodeTest, ZeroAndSilentWhereAllIsWell) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(ExitCode("program", absl::OkStatus()), 0);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ExitCodeTest, OneLineForAnError) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(ExitCode("program", absl::UnavailableError("one\ntwo")), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "program: one two\n");
}

}  // namespace
}  // namespace cache_demo
