#include "perf_demo/answerer.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "perf_demo/asker.h"
#include "perf_demo/file_source.h"
#include "perf_demo/read_answer.h"
#include "perf_demo/universe.h"

namespace cache_demo {
namespace {

using ::ipc::testing::Child;
using ::ipc::testing::HearParent;
using ::ipc::testing::IsOk;
using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TellParent;
using ::ipc::testing::TempDir;
using ::ipc::testing::TimeLimit;

absl::Status Verified(const absl::StatusOr<Body::Reader>& body) {
  if (!body.ok()) return body.status();
  const absl::StatusOr<GetCacheRsp::Reader> file = FileIn(*body);
  return file.ok() ? VerifyParts(*file, Verify::kAll) : file.status();
}

// Asks for the files that it is told of, and says what became of them, until it is told of none.
SLUICE_CHILD_ROLE(client) {
  const absl::StatusOr<Mode> mode = ParseMode("mode", arguments[0]);
  absl::StatusOr<std::unique_ptr<Asker>> asker =
      Connect({.mode = *mode, .run_folder = arguments[1], .timeout = TimeLimit()});
  if (!asker.ok()) return 1;
  for (std::string name = HearParent(); !name.empty(); name = HearParent()) {
    TellParent(Verified((*asker)->Ask(name, TimeLimit())).ToString());
    (*asker)->Release();
  }
  return 0;
}

constexpr auto kGoOn = [] { return absl::OkStatus(); };

class AnswererTest : public ::testing::TestWithParam<Mode> {
 protected:
  void SetUp() override {
    ipc::ServerOptions options = {.clients = {kCacheClient}};
    options.session.run_folder = folder_.path();
    ASSERT_OK_AND_ASSIGN(ipc::Server server, ipc::Server::Listen(kCacheServer, options));
    client_.emplace(Child::Start("client", {std::string(Name(GetParam())), folder_.path()}));
    ASSERT_OK_AND_ASSIGN(ipc::Session session, server.Accept(TimeLimit()));
    session_.emplace(std::move(session));
    const auto make = GetParam() == Mode::kSocket ? &AnswerOverStream : &AnswerOverChannel;
    ASSERT_OK_AND_ASSIGN(answerer_, make(*session_, ipc::WaitMode::kAdaptive));
  }

  File Open() {
    absl::StatusOr<File> file = FileSource::OfSizes({200'000}).Open("200KB");
    EXPECT_OK(file);
    return *std::move(file);
  }

  const TempDir folder_;
  std::optional<Child> client_;
  std::optional<ipc::Session> session_;
  std::unique_ptr<Answerer> answerer_;
};

INSTANTIATE_TEST_SUITE_P(Modes, AnswererTest, ::testing::Values(Mode::kSocket, Mode::kHeap));

TEST_P(AnswererTest, AnswersWithWhatWasBuilt) {
  EXPECT_FALSE(answerer_->Has("200KB"));
  ASSERT_OK(answerer_->Build(Open(), kGoOn));
  EXPECT_TRUE(answerer_->Has("200KB"));
  for (int round = 0; round < 2; ++round) {
    client_->Tell("200KB");
    EXPECT_THAT(answerer_->NextRequest(), IsOkAndHolds("200KB"));
    EXPECT_OK(answerer_->Answer("200KB"));
    EXPECT_EQ(client_->Hear(), "OK");
  }
}

TEST_P(AnswererTest, Refuses) {
  client_->Tell("anything");
  EXPECT_THAT(answerer_->NextRequest(), IsOkAndHolds("anything"));
  EXPECT_OK(answerer_->Refuse(absl::ResourceExhaustedError("full")));
  EXPECT_EQ(client_->Hear(), "RESOURCE_EXHAUSTED: full");
}

TEST_P(AnswererTest, ABuildThatIsStoppedLeavesNothing) {
  const auto stop = [] { return absl::CancelledError("enough"); };
  EXPECT_THAT(answerer_->Build(Open(), stop), StatusIs(absl::StatusCode::kCancelled, "enough"));
  EXPECT_FALSE(answerer_->Has("200KB"));
  EXPECT_OK(answerer_->Build(Open(), kGoOn));
}

TEST_P(AnswererTest, TheClientsEndIsNoticed) {
  client_->Kill();
  EXPECT_FALSE(answerer_->NextRequest().ok());
}

}  // namespace
}  // namespace cache_demo
