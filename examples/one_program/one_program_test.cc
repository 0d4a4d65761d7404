// The example as a user runs it.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"

namespace ipc {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

struct Outcome {
  int exit_code;
  std::string output;
};

// Runs the example, and returns what it printed to both of its outputs.
Outcome RunExample(const std::string& arguments) {
  FILE* const output = popen(absl::StrCat(std::getenv("ONE_PROGRAM"), " ", arguments, " 2>&1").c_str(), "r");
  if (output == nullptr) return {-1, "not started"};
  Outcome outcome;
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) outcome.output += static_cast<char>(c);
  const int status = pclose(output);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

class OneProgramTest : public ::testing::Test {
 protected:
  // The example has one server on the machine; runs of this test take turns.
  void SetUp() override {
    turn_ = Fd(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_EQ(flock(turn_.get(), LOCK_EX), 0);
  }

 private:
  Fd turn_;
};

TEST_F(OneProgramTest, PassesAMillionSquares) {
  const Outcome run = RunExample("");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output, MatchesRegex("client: got 1000000 squares; 1000 squared is 1000000\n"
                                       "server: answered process [0-9]+\n"));
}

TEST_F(OneProgramTest, AClientWithoutAServerSaysSo) {
  const Outcome run = RunExample("client");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, HasSubstr("UNAVAILABLE: connect app squares_client to server squares_server: "));
}

}  // namespace
}  // namespace ipc
