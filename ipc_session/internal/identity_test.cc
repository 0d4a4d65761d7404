#include "ipc_session/internal/identity.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_util/credentials.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/running_file.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"

namespace ipc::testing {
namespace {

using ipc::internal::CheckExecutable;
using ipc::internal::CheckUser;
using ipc::internal::Identity;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

SLUICE_CHILD_ROLE(bystander) {
  HearParent();
  return 0;
}

std::string OwnExecutable() { return std::filesystem::read_symlink("/proc/self/exe"); }

TEST(IdentityTest, WhatTheUniverseLeavesOpenIsOnesOwn) {
  const Identity open(App{.name = "a"});
  EXPECT_EQ(open.uid, OwnCredentials().uid);
  EXPECT_EQ(open.gid, OwnCredentials().gid);
  const Identity given(App{.name = "a", .executable = "/b", .uid = 1, .gid = 2});
  EXPECT_EQ(given.uid, 1u);
  EXPECT_EQ(given.gid, 2u);
  EXPECT_EQ(given.executable, "/b");
}

// A1
TEST(IdentityTest, UidAndGidMustBothBeTheUniverses) {
  const Identity expected(App{.name = "a", .uid = 10, .gid = 20});
  EXPECT_OK(CheckUser(expected, {.pid = 5, .uid = 10, .gid = 20}));
  for (const Credentials& peer : {Credentials{5, 11, 20}, Credentials{5, 10, 21}, Credentials{5, 0, 0}}) {
    const absl::Status status = CheckUser(expected, peer);
    EXPECT_THAT(status, StatusIs(kDenied, HasSubstr("app a must be uid 10 and gid 20, but is pid 5, uid")));
    EXPECT_EQ(ReasonOf(status), Reason::kWrongUser);
  }
}

class ExecutableTest : public ::testing::Test {
 protected:
  absl::Status Check(const std::string& executable, ExecutablePolicy policy) {
    return CheckPeer(child_.pid(), executable, policy);
  }

  absl::Status CheckPeer(pid_t pid, const std::string& executable,
                         ExecutablePolicy policy = ExecutablePolicy::kRequired) {
    const Identity expected(App{.name = "a", .executable = executable});
    absl::StatusOr<PidFd> process = PidFd::Open(pid);
    EXPECT_OK(process);
    return CheckExecutable(expected, {.pid = pid}, *process, policy);
  }

  TempDir temp_;
  LogLines log_;
  Child child_ = Child::Start("bystander");
};

TEST_F(ExecutableTest, TheRightOnePasses) {
  for (const ExecutablePolicy policy :
       {ExecutablePolicy::kIgnore, ExecutablePolicy::kWhenReadable, ExecutablePolicy::kRequired}) {
    EXPECT_OK(Check(OwnExecutable(), policy));
    EXPECT_OK(Check("", policy));
  }
  const std::string link = absl::StrCat(temp_.path(), "/link");
  std::filesystem::create_symlink(OwnExecutable(), link);
  EXPECT_OK(Check(link, ExecutablePolicy::kRequired));
  EXPECT_THAT(log_.lines(), IsEmpty());
}

// A2: another path, a copy, nothing at all.
TEST_F(ExecutableTest, AnotherFileIsRefusedUnlessIgnored) {
  const std::string copy = absl::StrCat(temp_.path(), "/copy");
  std::filesystem::copy(OwnExecutable(), copy);
  for (const std::string& path : {std::string("/proc/self/maps"), copy, absl::StrCat(temp_.path(), "/none")}) {
    EXPECT_OK(Check(path, ExecutablePolicy::kIgnore));
    for (const ExecutablePolicy policy : {ExecutablePolicy::kWhenReadable, ExecutablePolicy::kRequired}) {
      const absl::Status status = Check(path, policy);
      EXPECT_THAT(status, StatusIs(kDenied, HasSubstr(absl::StrCat("app a must run ", path))));
      EXPECT_EQ(ReasonOf(status), Reason::kWrongExecutable);
    }
  }
}

// A2, F16: what a program calls itself does not count.
TEST_F(ExecutableTest, AForgedNameIsRefused) {
  const RunningFile forger("/bin/sleep", {OwnExecutable(), "1000"});
  EXPECT_THAT(CheckPeer(forger.pid(), OwnExecutable()),
              StatusIs(kDenied, HasSubstr(absl::StrCat("process ", forger.pid(), " runs another file"))));
  EXPECT_OK(CheckPeer(forger.pid(), "/bin/sleep"));
}

// A2, F16: the new file at the path is not the one that runs.
TEST_F(ExecutableTest, AProgramThatWasReplacedWhileItRanIsRefused) {
  const std::string path = absl::StrCat(temp_.path(), "/program");
  std::filesystem::copy("/bin/sleep", path);
  const RunningFile program(path, {path, "1000"});
  EXPECT_OK(CheckPeer(program.pid(), path));
  std::filesystem::copy("/bin/sleep", path + ".update");
  std::filesystem::rename(path + ".update", path);
  EXPECT_THAT(CheckPeer(program.pid(), path),
              StatusIs(kDenied, HasSubstr("runs a file that was replaced or removed; restart it")));
}

// A2: a script's executable is its interpreter.
TEST_F(ExecutableTest, AScriptIsItsInterpreter) {
  const std::string script = absl::StrCat(temp_.path(), "/script");
  std::ofstream(script) << "#!/bin/sh\nkill -STOP $$\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const RunningFile program(script, {script});
  EXPECT_THAT(CheckPeer(program.pid(), script), StatusIs(kDenied, HasSubstr("runs another file")));
  EXPECT_OK(CheckPeer(program.pid(), "/bin/sh"));
}

// N2: a peer that may not be the one of that number has gone.
TEST_F(ExecutableTest, AnUnwatchedPeerIsGone) {
  const Identity expected(App{.name = "a", .executable = OwnExecutable()});
  EXPECT_EQ(ReasonOf(CheckExecutable(expected, {.pid = child_.pid()}, PidFd(), ExecutablePolicy::kWhenReadable)),
            Reason::kGone);
}

TEST_F(ExecutableTest, WhatCannotBeToldIsLoggedOrRefused) {
  const Identity expected(App{.name = "a", .executable = OwnExecutable()});
  const Credentials foreign = {.pid = 0};
  EXPECT_OK(CheckExecutable(expected, foreign, PidFd(), ExecutablePolicy::kWhenReadable));
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("the executable of app a is not checked: its process is in another")));
  EXPECT_THAT(CheckExecutable(expected, foreign, PidFd(), ExecutablePolicy::kRequired), StatusIs(kDenied));
}

TEST_F(ExecutableTest, ADeadPeerIsGone) {
  absl::StatusOr<PidFd> process = PidFd::Open(child_.pid());
  ASSERT_OK(process);
  const pid_t pid = child_.pid();
  child_.Kill();
  const Identity expected(App{.name = "a", .executable = OwnExecutable()});
  EXPECT_EQ(ReasonOf(CheckExecutable(expected, {.pid = pid}, *process, ExecutablePolicy::kWhenReadable)),
            Reason::kGone);
}

}  // namespace
}  // namespace ipc::testing
