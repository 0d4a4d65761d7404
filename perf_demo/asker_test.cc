#include "perf_demo/asker.h"

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "perf_demo/file_source.h"
#include "perf_demo/read_answer.h"
#include "perf_demo/serve.h"

namespace cache_demo {
namespace {

using ::ipc::testing::Child;
using ::ipc::testing::IsOk;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TellParent;
using ::ipc::testing::TempDir;
using ::ipc::testing::TimeLimit;
using ::testing::HasSubstr;

// Serves one client in the mode and folder that it is told; its exit code is 0 if all was well.
SLUICE_CHILD_ROLE(server) {
  const absl::StatusOr<Mode> mode = ParseMode("mode", arguments[0]);
  const FileSource files = FileSource::OfSizes({0, 100, 3'000'000});
  const absl::Status served =
      Serve(files, {.mode = *mode, .wait = ipc::WaitMode::kAdaptive, .run_folder = arguments[1]},
            [] { TellParent("listening"); });
  TellParent(served.ToString());
  return served.ok() ? 0 : 1;
}

class AskerTest : public ::testing::TestWithParam<Mode> {
 protected:
  Child StartServer() {
    Child server = Child::Start("server", {std::string(Name(GetParam())), folder_.path()});
    EXPECT_EQ(server.Hear(), "listening");
    return server;
  }

  AskerOptions Options() const { return {.mode = GetParam(), .run_folder = folder_.path(), .timeout = TimeLimit()}; }

  // Asks for a file and checks every byte of it.
  static void ExpectFile(Asker& asker, const std::string& name, uint64_t bytes) {
    ASSERT_OK_AND_ASSIGN(const Body::Reader body, asker.Ask(name, TimeLimit()));
    ASSERT_OK_AND_ASSIGN(const GetCacheRsp::Reader file, FileIn(body));
    EXPECT_EQ(FileBytes(file), bytes);
    EXPECT_OK(VerifyParts(file, Verify::kAll));
    asker.Release();
  }

  const TempDir folder_;
};

std::string ModeName(const ::testing::TestParamInfo<Mode>& info) { return std::string(Name(info.param)); }

INSTANTIATE_TEST_SUITE_P(Modes, AskerTest,
                         ::testing::Values(Mode::kSocket, Mode::kHeap, Mode::kClassic, Mode::kJemalloc), ModeName);

TEST_P(AskerTest, GetsFilesAgainAndAgain) {
  Child server = StartServer();
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Asker> asker, Connect(Options()));
  EXPECT_EQ(asker->server_pid(), server.pid());
  for (int round = 0; round < 3; ++round) {
    ExpectFile(*asker, "3MB", 3'000'000);
    ExpectFile(*asker, "0B", 0);
    ExpectFile(*asker, "100B", 100);
  }
  asker.reset();
  EXPECT_EQ(server.Hear(), "OK");
  EXPECT_EQ(server.Wait(), 0);
}

TEST_P(AskerTest, AnUnknownFileIsAnAnswerToo) {
  Child server = StartServer();
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Asker> asker, Connect(Options()));
  ASSERT_OK_AND_ASSIGN(const Body::Reader body, asker->Ask("secret", TimeLimit()));
  EXPECT_THAT(FileIn(body),
              StatusIs(absl::StatusCode::kInvalidArgument, "there is no file \"secret\"; there are: 0B, 100B, 3MB"));
  asker->Release();
  ExpectFile(*asker, "3MB", 3'000'000);
  asker.reset();
  EXPECT_THAT(server.Hear(), HasSubstr("there is no file \"secret\""));
  EXPECT_EQ(server.Wait(), 1);
}

TEST_P(AskerTest, AKilledServerIsNoticed) {
  Child server = StartServer();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Asker> asker, Connect(Options()));
  ExpectFile(*asker, "3MB", 3'000'000);
  server.Kill();
  EXPECT_THAT(asker->Ask("3MB", TimeLimit()).status(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_P(AskerTest, AStoppedServerIsNotWaitedForPastTheDeadline) {
  Child server = StartServer();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Asker> asker, Connect(Options()));
  ExpectFile(*asker, "100B", 100);
  server.Stop();
  EXPECT_THAT(asker->Ask("100B", absl::Milliseconds(10)).status(), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_P(AskerTest, WithoutAServerThereIsNoConnection) {
  EXPECT_THAT(Connect(Options()).status(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("start cache_server first")));
}

}  // namespace
}  // namespace cache_demo
