// The example as a user runs it.

#include "examples/testing/run_example.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

TEST(SharedIndexTest, TheReaderFindsWhatTheUpdaterAdded) {
  const ExampleRun run = RunExample("");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.output,
            "3 lines\n"
            "it: 2, 3\n"
            "pointer: 1, 3\n"
            "stays: 1, 2\n"
            "structure: 1, 2\n"
            "the: 1, 1, 2, 3\n");
}

// K8
TEST(SharedIndexTest, TheReaderLearnsOfAnUpdaterThatDiedWithTheLock) {
  const ExampleRun run = RunExample("crash");
  EXPECT_EQ(run.exit_code, 1);
  // Newer versions of abseil add where the status comes from.
  EXPECT_THAT(run.output, HasSubstr(": UNAVAILABLE: the updater was killed while it changed the index, at line 2\n"));
}

}  // namespace
}  // namespace ipc::testing
