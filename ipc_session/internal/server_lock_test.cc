#include "ipc_session/internal/server_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/run_folder.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"

namespace ipc::testing {
namespace {

using ipc::internal::RunFolder;
using ipc::internal::ServerLock;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kAlreadyExists = absl::StatusCode::kAlreadyExists;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

RunFolder FolderAt(const std::string& path) {
  absl::StatusOr<RunFolder> folder = ipc::internal::OpenRunFolder(path, geteuid());
  EXPECT_OK(folder);
  return *std::move(folder);
}

// Says whether it got the lock, and holds it until told otherwise.
SLUICE_CHILD_ROLE(locker) {
  absl::StatusOr<ServerLock> lock = ServerLock::Acquire(FolderAt(arguments[0]), arguments[1]);
  TellParent(lock.ok() ? "locked" : lock.status().ToString());
  HearParent();
  return 0;
}

std::string TryInChild(const std::string& folder, const std::string& app) {
  return Child::Start("locker", {folder, app}).Hear();
}

class ServerLockTest : public ::testing::Test {
 protected:
  TempDir temp_;
  const RunFolder folder_ = FolderAt(temp_.path());
  const std::string file_ = absl::StrCat(temp_.path(), "/app.lock");
};

TEST_F(ServerLockTest, ASecondProcessIsTurnedAway) {
  ASSERT_OK_AND_ASSIGN(const ServerLock lock, ServerLock::Acquire(folder_, "app"));
  EXPECT_THAT(TryInChild(temp_.path(), "app"),
              AllOf(HasSubstr("ALREADY_EXISTS"), HasSubstr("a live server of app app exists"),
                    HasSubstr(absl::StrCat("process ", getpid(), " holds ", file_))));
  EXPECT_EQ(TryInChild(temp_.path(), "other"), "locked");
}

TEST_F(ServerLockTest, ASecondInTheSameProcessIsTurnedAwayAndTheFirstKeepsItsLock) {
  ASSERT_OK_AND_ASSIGN(const ServerLock lock, ServerLock::Acquire(folder_, "app"));
  EXPECT_THAT(ServerLock::Acquire(folder_, "app"), StatusIs(kAlreadyExists, HasSubstr("this process has one")));
  // The same folder by another name.
  std::filesystem::create_symlink(temp_.path(), absl::StrCat(temp_.path(), "/alias"));
  EXPECT_THAT(ServerLock::Acquire(FolderAt(absl::StrCat(temp_.path(), "/alias/.")), "app"), StatusIs(kAlreadyExists));
  EXPECT_THAT(TryInChild(temp_.path(), "app"), HasSubstr("ALREADY_EXISTS"));
}

TEST_F(ServerLockTest, ReleasingOneKeepsTheOthers) {
  ASSERT_OK_AND_ASSIGN(const ServerLock lock, ServerLock::Acquire(folder_, "app"));
  {
    ASSERT_OK(ServerLock::Acquire(folder_, "other"));
  }
  EXPECT_THAT(TryInChild(temp_.path(), "app"), HasSubstr("ALREADY_EXISTS"));
  EXPECT_EQ(TryInChild(temp_.path(), "other"), "locked");
}

TEST_F(ServerLockTest, ReleasedAndMovedAsItShould) {
  ASSERT_OK_AND_ASSIGN(ServerLock lock, ServerLock::Acquire(folder_, "app"));
  {
    const ServerLock moved = std::move(lock);
    EXPECT_THAT(ServerLock::Acquire(folder_, "app"), StatusIs(kAlreadyExists));
  }
  EXPECT_EQ(TryInChild(temp_.path(), "app"), "locked");
  EXPECT_OK(ServerLock::Acquire(folder_, "app"));
}

// S1, K2
TEST_F(ServerLockTest, AKilledHoldersLockIsFree) {
  Child holder = Child::Start("locker", {temp_.path(), "app"});
  ASSERT_EQ(holder.Hear(), "locked");
  EXPECT_THAT(ServerLock::Acquire(folder_, "app"),
              StatusIs(kAlreadyExists, HasSubstr(absl::StrCat("process ", holder.pid()))));
  holder.Kill();
  EXPECT_OK(ServerLock::Acquire(folder_, "app"));
}

// P1: what a forked child holds in its copy of memory is no lock.
TEST_F(ServerLockTest, AForkedChildHoldsNothing) {
  std::optional<ServerLock> lock;
  {
    ASSERT_OK_AND_ASSIGN(ServerLock acquired, ServerLock::Acquire(folder_, "app"));
    lock.emplace(std::move(acquired));
  }
  const pid_t child = fork();
  if (child == 0) {
    // Refused by the parent's lock; and destroying the copy takes nothing from the parent.
    const bool refused = !ServerLock::Acquire(folder_, "app").ok();
    lock.reset();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(TryInChild(temp_.path(), "app"), HasSubstr("ALREADY_EXISTS"));
}

// A6
TEST_F(ServerLockTest, TheFileIsPrivateAndStays) {
  for (const mode_t mask : {0, 022, 077, 0777}) {
    const mode_t before = umask(mask);
    EXPECT_OK(ServerLock::Acquire(folder_, "app"));
    umask(before);
    struct stat found;
    ASSERT_EQ(stat(file_.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 0600u);
  }
}

// S3
TEST_F(ServerLockTest, PlantedNamesAreRefusedAndNotFollowed) {
  const std::string target = absl::StrCat(temp_.path(), "/target");
  std::ofstream(target) << "kept";
  std::filesystem::create_symlink(target, file_);
  EXPECT_THAT(ServerLock::Acquire(folder_, "app"), StatusIs(kDenied, HasSubstr("is no plain file; remove it")));
  EXPECT_EQ(std::filesystem::file_size(target), 4u);
  std::filesystem::remove(file_);

  ASSERT_EQ(mkfifo(file_.c_str(), 0600), 0);
  EXPECT_THAT(ServerLock::Acquire(folder_, "app"), StatusIs(kDenied));
  std::filesystem::remove(file_);

  std::filesystem::create_directory(file_);
  EXPECT_THAT(ServerLock::Acquire(folder_, "app"), StatusIs(kDenied));
  std::filesystem::remove(file_);

  EXPECT_OK(ServerLock::Acquire(folder_, "app"));
  if (geteuid() == 0) {  // needs several uids
    ASSERT_EQ(chown(file_.c_str(), 4321, 0), 0);
    EXPECT_THAT(ServerLock::Acquire(folder_, "app"), StatusIs(kDenied, HasSubstr("its owner is uid 4321")));
  }
}

TEST_F(ServerLockTest, EachFailingCallIsAnErrorAndLeavesTheLockFree) {
  constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
  const std::vector<std::tuple<OsInstruction, absl::StatusCode, std::string>> cases = {
      {FailCall("Open", EMFILE), kExhausted, "open lock file"},
      {FailCall("Fstat", ENOMEM), kExhausted, "open lock file"},
      {FailCall("Fchmod", EPERM), kDenied, "set the mode of lock file"},
      {FailCall("FcntlLock", ENOLCK), absl::StatusCode::kInvalidArgument, "lock "},
      {FailCall("Fstat", ENOMEM, {.first = 2}), kExhausted, "look at"},
      {FailCall("Stat", EACCES), kDenied, "look at"},
  };
  for (const auto& [instruction, code, text] : cases) {
    {
      const OsTesting os({instruction});
      EXPECT_THAT(ServerLock::Acquire(folder_, "app"), StatusIs(code, AllOf(HasSubstr(text), HasSubstr(file_))))
          << instruction.where;
      EXPECT_EQ(os.interventions(), 1) << instruction.where;
    }
    EXPECT_EQ(TryInChild(temp_.path(), "app"), "locked") << instruction.where;
    EXPECT_OK(ServerLock::Acquire(folder_, "app")) << instruction.where;
  }
}

TEST_F(ServerLockTest, AHolderThatTheSystemDoesNotNameStillTurnsAway) {
  Child holder = Child::Start("locker", {temp_.path(), "app"});
  ASSERT_EQ(holder.Hear(), "locked");
  const OsTesting os({FailCall("FcntlLock", ENOMEM, {.first = 2})});
  EXPECT_THAT(ServerLock::Acquire(folder_, "app"), StatusIs(kAlreadyExists, HasSubstr("another process holds")));
  EXPECT_EQ(os.interventions(), 1);
}

TEST_F(ServerLockTest, AFileThatIsRemovedMeanwhileIsNotTakenForTheLock) {
  OsTesting os;
  int removals = 1;
  os.AtPoint("session.listen.lock_opened", [&] {
    if (removals > 0) std::filesystem::remove(file_);
    --removals;
  });
  {
    ASSERT_OK_AND_ASSIGN(const ServerLock lock, ServerLock::Acquire(folder_, "app"));
    EXPECT_EQ(os.points().size(), 2u);
    EXPECT_THAT(TryInChild(temp_.path(), "app"), HasSubstr("ALREADY_EXISTS"));
  }
  removals = 1000;
  EXPECT_THAT(ServerLock::Acquire(folder_, "app"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("is removed again and again")));
  EXPECT_EQ(TryInChild(temp_.path(), "app"), "locked");
}

}  // namespace
}  // namespace ipc::testing
