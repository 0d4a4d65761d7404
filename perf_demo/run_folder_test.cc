#include "perf_demo/run_folder.h"

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"

namespace cache_demo {
namespace {

namespace fs = std::filesystem;

using ::ipc::testing::Child;
using ::ipc::testing::HearParent;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TellParent;
using ::ipc::testing::TempDir;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(RunFolderTest, IsThereForItsUserAloneAndGoesWithWhatIsInIt) {
  const TempDir parent;
  std::string path;
  {
    ASSERT_OK_AND_ASSIGN(RunFolder first, RunFolder::Create(parent.path()));
    const RunFolder folder = std::move(first);
    path = folder.path();
    EXPECT_THAT(path, StartsWith(parent.path() + "/"));
    struct stat status;
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    std::ofstream(path + "/cacheSrv.sock") << "something";
  }
  EXPECT_TRUE(fs::is_empty(parent.path()));
}

TEST(RunFolderTest, AFolderThatCannotBeMadeIsNamed) {
  EXPECT_THAT(RunFolder::Create("/no/such/folder"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("/no/such/folder/perf_demo-")));
}

SLUICE_CHILD_ROLE(run) {
  const absl::StatusOr<RunFolder> folder = RunFolder::Create(arguments[0]);
  if (!folder.ok()) return 1;
  std::ofstream(folder->path() + "/cacheSrv.sock") << "something";
  TellParent(folder->path());
  HearParent();
  return 0;
}

TEST(RunFolderTest, TheNextRunRemovesThoseOfKilledOnesAndNoOther) {
  const TempDir parent;
  fs::create_directory(parent.path() + "/perf_data");
  fs::create_directory_symlink(parent.path() + "/perf_data", parent.path() + "/perf_demo-link");
  Child running = Child::Start("run", {parent.path()});
  const std::string in_use = running.Hear();
  Child killed = Child::Start("run", {parent.path()});
  const std::string abandoned = killed.Hear();
  killed.Kill();
  ASSERT_TRUE(fs::exists(abandoned));

  ASSERT_OK_AND_ASSIGN(const RunFolder mine, RunFolder::Create(parent.path()));
  EXPECT_FALSE(fs::exists(abandoned));
  EXPECT_TRUE(fs::exists(in_use + "/cacheSrv.sock"));
  EXPECT_TRUE(fs::exists(parent.path() + "/perf_data"));
  EXPECT_TRUE(fs::exists(parent.path() + "/perf_demo-link"));
  running.Tell("end");
  EXPECT_EQ(running.Wait(), 0);
  EXPECT_FALSE(fs::exists(in_use));
}

TEST(RunFolderTest, RunsThatStartAtOnceLeaveEachOtherAlone) {
  const TempDir parent;
  constexpr int kThreads = 4;
  constexpr int kRounds = 200;
  std::atomic<int> missing = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        const absl::StatusOr<RunFolder> folder = RunFolder::Create(parent.path());
        if (!folder.ok() || !fs::exists(folder->path())) ++missing;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(missing, 0);
  EXPECT_TRUE(fs::is_empty(parent.path()));
}

}  // namespace
}  // namespace cache_demo
