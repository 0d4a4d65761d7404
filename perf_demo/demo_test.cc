#include "perf_demo/demo.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOk;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TempDir;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kAborted = absl::StatusCode::kAborted;

class DemoTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<Result>> Run(const DemoOptions& options) {
    return RunMode(Mode::kHeap, options, [this] { ++results_; });
  }

  const TempDir folder_;
  const std::string run_folder_ = "--run_folder=" + folder_.path();
  DemoOptions options_ = {.server_program = std::getenv("CACHE_SERVER"),
                          .client_program = std::getenv("CACHE_CLIENT"),
                          .server_flags = {"--sizes=100KB,7B", run_folder_},
                          .client_flags = {"--iterations=3", run_folder_},
                          .files = {"7B", "100KB"}};
  int results_ = 0;
};

TEST_F(DemoTest, CollectsWhatTheClientMeasures) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Result> results, Run(options_));
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results_, 2);
  EXPECT_EQ(results[0].file, "7B");
  EXPECT_EQ(results[1].bytes, 100'000u);
  EXPECT_EQ(results[1].mode, Mode::kHeap);
  EXPECT_EQ(results[1].iterations, 3u);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/cacheSrv.sock"));
}

TEST_F(DemoTest, TheServersErrorIsTold) {
  options_.server_flags.push_back("--wait=hard");
  EXPECT_THAT(Run(options_).status(),
              StatusIs(kAborted, StartsWith("mode heap: cache_server: --wait has \"hard\"; there are")));
}

TEST_F(DemoTest, TheClientsErrorIsTold) {
  options_.files = {"7B", "none"};
  EXPECT_THAT(Run(options_).status(), StatusIs(kAborted, HasSubstr("cache_client: ask for file \"none\"")));
  EXPECT_EQ(results_, 0);
}

TEST_F(DemoTest, ProgramsThatAreMissingAreTold) {
  DemoOptions options = options_;
  options.server_program = "/no/such/server";
  EXPECT_THAT(Run(options).status(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("server cannot be run")));
  options = options_;
  options.client_program = "/no/such/client";
  EXPECT_THAT(Run(options).status(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("client cannot be run")));
}

TEST_F(DemoTest, AClientThatTalksNonsenseIsTold) {
  options_.client_program = "echo";
  EXPECT_THAT(Run(options_).status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is no row of results")));
  options_.client_program = "true";
  EXPECT_THAT(Run(options_).status(), StatusIs(absl::StatusCode::kInternal, HasSubstr("measured 0 of 2 files")));
}

}  // namespace
}  // namespace cache_demo
