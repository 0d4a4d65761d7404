// What README.md quotes is what the code has.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "doc/code_blocks.h"
#include "doc/guide.capnp.h"
#include "examples/one_program/squares.capnp.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/apps.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr App kClient{.name = "cacheCli"};
constexpr App kStranger{.name = "stranger"};
constexpr absl::string_view kMayConnect[] = {kClient.name};
constexpr ServerApp kServer{.app = {.name = "cacheSrv"}, .allowed_clients = kMayConnect};

SessionOptions OptionsIn(const std::string& folder) {
  SessionOptions options;
  options.run_folder = folder;
  options.deadline = Deadline(TimeLimit());
  return options;
}

absl::StatusOr<Server> ListenIn(const std::string& folder) {
  return Server::Listen(kServer, {.clients = {kClient}, .session = OptionsIn(folder)});
}

// Listens until it is killed.
SLUICE_CHILD_ROLE(server) {
  absl::StatusOr<Server> server = ListenIn(arguments[0]);
  TellParent(server.ok() ? "listening" : server.status().ToString());
  return server.ok() && server->Accept(Deadline::Never()).ok() ? 0 : 1;
}

class ReadmeErrorsTest : public ::testing::Test {
 protected:
  Child StartServer() const {
    Child server = Child::Start("server", {folder_.path()});
    EXPECT_EQ(server.Hear(), "listening");
    return server;
  }

  // The error as the README shows it: in the default folder, of a process with a number that is nobody's.
  void ExpectInReadme(const absl::Status& status, int pid = 0) const {
    std::vector<std::pair<std::string, std::string>> shown = {{folder_.path(), "/run/sluice"}};
    if (pid != 0) shown.emplace_back(absl::StrCat("process ", pid), "process 4711");
    const std::string text = absl::StrReplaceAll(status.ToString(absl::StatusToStringMode::kWithNoExtraData), shown);
    EXPECT_THAT(CodeBlocks(FileNamedBy("README"), "text"), Contains(text + "\n"));
  }

  TempDir folder_;
};

TEST_F(ReadmeErrorsTest, NoServer) {
  ExpectInReadme(Session::Connect(kClient, kServer, OptionsIn(folder_.path())).status());
}

TEST_F(ReadmeErrorsTest, AClientThatIsNotListed) {
  const Child server = StartServer();
  ExpectInReadme(Session::Connect(kStranger, kServer, OptionsIn(folder_.path())).status());
}

TEST_F(ReadmeErrorsTest, ASecondServer) {
  const Child first = StartServer();
  ExpectInReadme(ListenIn(folder_.path()).status(), first.pid());
}

TEST_F(ReadmeErrorsTest, AMessageThatIsTooLarge) {
  ASSERT_OK_AND_ASSIGN(auto ends, RingPipe::CreatePair());
  Channel channel(std::move(ends.first));
  ExpectInReadme(channel.Send(std::vector<std::byte>(1'000'000)));
}

TEST_F(ReadmeErrorsTest, EndsOfDifferentTypes) {
  ASSERT_OK_AND_ASSIGN(auto ends, RingPipe::CreatePair());
  auto here = StructuredChannel<guide::Greeting>::Upgrade(Channel(std::move(ends.first)));
  auto there = StructuredChannel<one_program::Body>::Upgrade(Channel(std::move(ends.second)));
  ExpectInReadme(here.Receive(TimeLimit()).status());
}

TEST(ReadmeTest, QuotesNoOtherErrors) { EXPECT_EQ(CodeBlocks(FileNamedBy("README"), "text").size(), 5u); }

TEST(ReadmeTest, ShowsTheWholeProgram) {
  EXPECT_THAT(CodeBlocks(FileNamedBy("README"), "cpp"), ElementsAre(FileNamedBy("ONE_PROGRAM")));
}

TEST(ReadmeTest, ShowsItsSchema) {
  const std::vector<std::string> schemas = CodeBlocks(FileNamedBy("README"), "capnp");
  ASSERT_EQ(schemas.size(), 1u);
  EXPECT_THAT(FileNamedBy("ONE_PROGRAM_SCHEMA"), HasSubstr(schemas[0]));
}

TEST(ReadmeTest, ShowsHowItsConsumersUseIt) {
  const std::vector<std::string> files = FilesNamedBy("CONSUMERS");
  ASSERT_EQ(files.size(), 3u);
  const std::vector<std::string> blocks = CodeBlocks(FileNamedBy("README"), "python");
  EXPECT_EQ(blocks.size(), 3u);
  for (const std::string& block : blocks) EXPECT_THAT(files, Contains(HasSubstr(block))) << block;
}

TEST(ReadmeTest, ShowsTheFlagsThatEveryConsumerHas) {
  const std::vector<std::string> blocks = CodeBlocks(FileNamedBy("README"), "bazelrc");
  ASSERT_EQ(blocks.size(), 1u);
  const std::vector<std::string> files = FilesNamedBy("CONSUMERS_BAZELRC");
  EXPECT_EQ(files.size(), 3u);
  EXPECT_THAT(files, Each(HasSubstr(blocks[0])));
}

}  // namespace
}  // namespace ipc::testing
