// An event loop example as a user runs it.

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <regex>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

using ::testing::ContainsRegex;

struct Outcome {
  int exit_code;
  std::string output;
};

// Runs the example, and returns what it printed to both of its outputs.
Outcome RunExample(const std::string& arguments) {
  FILE* const output = popen(absl::StrCat(std::getenv("EXAMPLE"), " ", arguments, " 2>&1").c_str(), "r");
  if (output == nullptr) return {-1, "not started"};
  Outcome outcome;
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) outcome.output += static_cast<char>(c);
  const int status = pclose(output);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

TEST(EventLoopTest, AnswersEveryRequestAlthoughTheChannelsFillUp) {
  const Outcome run = RunExample("");
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
  const Outcome run = RunExample("crash");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, ContainsRegex("over the ring, waited [0-9]+ times for room, ended UNAVAILABLE: "));
  EXPECT_THAT(run.output, ContainsRegex("over the socket, waited [0-9]+ times for room, ended UNAVAILABLE: "));
}

}  // namespace
