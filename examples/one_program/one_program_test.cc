// The example as a user runs it.

#include "examples/testing/run_example.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(OneProgramTest, PassesAMillionSquares) {
  const ExampleRun run = RunExample("");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output, MatchesRegex("client: got 1000000 squares; 1000 squared is 1000000\n"
                                       "server: answered process [0-9]+\n"));
}

TEST(OneProgramTest, AClientWithoutAServerSaysSo) {
  const ExampleRun run = RunExample("client");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, HasSubstr("UNAVAILABLE: connect app squares_client to server squares_server: "));
}

}  // namespace
}  // namespace ipc::testing
