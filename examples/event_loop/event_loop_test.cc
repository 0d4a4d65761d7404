// An event loop example as a user runs it.

#include <regex>
#include <string>

#include "examples/testing/run_example.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::ContainsRegex;

TEST(EventLoopTest, AnswersEveryRequestAlthoughTheChannelsFillUp) {
  const ExampleRun run = RunExample("");
  EXPECT_EQ(run.exit_code, 0) << run.output;
  static const std::regex kOutput(
      "peer: got (\\d+) answers from the ring and (\\d+) from the socket, in order\n"
      "loop: sent (\\d+) answers over the ring, waited (\\d+) times for room, ended in order\n"
      "loop: sent (\\d+) answers over the socket, waited (\\d+) times for room, ended in order\n"
      "loop: the timer ticked (\\d+) times\n");
  std::smatch figures;
  ASSERT_TRUE(std::regex_match(run.output, figures, kOutput)) << run.output;
  EXPECT_EQ(figures[1], figures[3]);
  EXPECT_EQ(figures[2], figures[5]);
  EXPECT_GE(std::stoi(figures[4]), 1);
  EXPECT_GE(std::stoi(figures[6]), 1);
  EXPECT_GE(std::stoi(figures[7]), 3);
}

// The peer is killed while the loop waits for room in one channel and for a request in the other.
TEST(EventLoopTest, LearnsOfThePeersDeathOnBothChannels) {
  const ExampleRun run = RunExample("crash");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, ContainsRegex("over the ring, waited [0-9]+ times for room, ended UNAVAILABLE: "));
  EXPECT_THAT(run.output, ContainsRegex("over the socket, waited [0-9]+ times for room, ended UNAVAILABLE: "));
}

}  // namespace
}  // namespace ipc::testing
