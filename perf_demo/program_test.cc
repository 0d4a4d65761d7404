#include "perf_demo/program.h"

#include <signal.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "perf_demo/machine.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOk;
using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TimeLimit;
using ::testing::HasSubstr;

absl::StatusOr<Program> Shell(const std::string& script) { return Program::Start("sh", {"-c", script}); }

TEST(ProgramTest, ItsLinesAreRead) {
  ASSERT_OK_AND_ASSIGN(Program program, Program::Start("printf", {"one\\n\\ntwo words\\nrest"}));
  EXPECT_THAT(program.ReadLine(TimeLimit()), IsOkAndHolds("one"));
  EXPECT_THAT(program.ReadLine(TimeLimit()), IsOkAndHolds(""));
  EXPECT_THAT(program.ReadLine(TimeLimit()), IsOkAndHolds("two words"));
  EXPECT_THAT(program.ReadLine(TimeLimit()), IsOkAndHolds(std::nullopt));
  EXPECT_OK(program.Wait(TimeLimit()));
  EXPECT_OK(program.Wait(TimeLimit()));
}

TEST(ProgramTest, AFailureIsToldInItsOwnWords) {
  ASSERT_OK_AND_ASSIGN(Program program, Shell("echo what is wrong >&2; exit 3"));
  EXPECT_THAT(program.Wait(TimeLimit()), StatusIs(absl::StatusCode::kAborted, "what is wrong"));
  ASSERT_OK_AND_ASSIGN(Program silent, Shell("exit 3"));
  EXPECT_THAT(silent.Wait(TimeLimit()), StatusIs(absl::StatusCode::kAborted, "sh ended with exit code 3"));
  ASSERT_OK_AND_ASSIGN(Program killed, Shell("kill -9 $$"));
  EXPECT_THAT(killed.Wait(TimeLimit()), StatusIs(absl::StatusCode::kAborted, "sh was killed by signal 9"));
}

TEST(ProgramTest, AMissingProgramIsTold) {
  ASSERT_OK_AND_ASSIGN(Program program, Program::Start("/no/such/program", {}));
  EXPECT_THAT(program.Wait(TimeLimit()), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("program cannot be run")));
}

TEST(ProgramTest, ManyErrorsDoNotStopIt) {
  ASSERT_OK_AND_ASSIGN(Program program, Shell("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo done"));
  EXPECT_THAT(program.ReadLine(TimeLimit()), IsOkAndHolds("done"));
  EXPECT_EQ(program.errors().size(), 1'000'000u);
}

TEST(ProgramTest, WaitsUntilTheDeadline) {
  ASSERT_OK_AND_ASSIGN(Program program, Program::Start("sleep", {"1000"}));
  EXPECT_THAT(program.Wait(absl::Milliseconds(1)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(program.ReadLine(absl::Milliseconds(1)).status(), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(ProgramTest, RunsOnTheProcessorThatItIsGiven) {
  const int processor = AllowedProcessors().back();
  ASSERT_OK_AND_ASSIGN(Program program, Program::Start("grep", {"Cpus_allowed_list", "/proc/self/status"}, processor));
  EXPECT_THAT(program.ReadLine(TimeLimit()), IsOkAndHolds(absl::StrCat("Cpus_allowed_list:\t", processor)));
}

TEST(ProgramTest, EndsWithItsOwner) {
  absl::StatusOr<Program> program = Program::Start("sleep", {"1000"});
  ASSERT_OK(program);
  const pid_t pid = program->pid();
  {
    const Program gone = *std::move(program);
  }
  EXPECT_EQ(kill(pid, 0), -1);  // Reaped.
}

TEST(ProgramTest, ASignalEndsTheWait) {
  TurnSignalsIntoStatus();
  ASSERT_OK_AND_ASSIGN(Program program, Shell(absl::StrCat("kill -TERM ", getpid(), "; exec sleep 1000")));
  EXPECT_THAT(program.Wait(TimeLimit()), StatusIs(absl::StatusCode::kCancelled, HasSubstr("interrupted")));
}

}  // namespace
}  // namespace cache_demo
