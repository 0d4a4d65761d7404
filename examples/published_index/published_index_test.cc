// The example as a user runs it.

#include "examples/testing/run_example.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kNothingLeft[] = "publisher: 3 versions, of which 0 are left in 0 bytes\n";

TEST(PublishedIndexTest, AllReadersReadAllVersions) {
  const ExampleRun run = RunExample("");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output,
              AllOf(HasSubstr("reader 1: 3 versions; \"the\" is on the lines 1, 1, 2, 3\n"),
                    HasSubstr("reader 2: 3 versions; \"the\" is on the lines 1, 1, 2, 3\n"), HasSubstr(kNothingLeft)));
}

// K6
TEST(PublishedIndexTest, AReaderThatDiesHoldsNobodyUpAndKeepsNothing) {
  const ExampleRun run = RunExample("crash");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output,
              AllOf(Not(HasSubstr("reader 1")), HasSubstr("reader 2: 3 versions; \"the\" is on the lines 1, 1, 2, 3\n"),
                    EndsWith(kNothingLeft)));
}

}  // namespace
}  // namespace ipc::testing
