#include "perf_demo/serve.h"

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "perf_demo/asker.h"
#include "perf_demo/read_answer.h"

namespace cache_demo {
namespace {

using ::ipc::testing::Child;
using ::ipc::testing::HearParent;
using ::ipc::testing::IsOk;
using ::ipc::testing::TellParent;
using ::ipc::testing::TempDir;
using ::ipc::testing::TimeLimit;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// How answers travel does not matter here.
constexpr Mode kMode = Mode::kJemalloc;

// Arguments: run folder, memory, clients.
SLUICE_CHILD_ROLE(server) {
  ServeOptions options = {.mode = kMode, .run_folder = arguments[0]};
  if (!absl::SimpleAtoi(arguments[1], &options.memory_bytes) || !absl::SimpleAtoi(arguments[2], &options.clients)) {
    return 2;
  }
  const absl::Status served = Serve(FileSource::OfSizes({300'000, 500'000}), options, [] { TellParent("listening"); });
  TellParent(served.ToString());
  return 0;
}

// Would serve a file that no machine of a developer has room for.
SLUICE_CHILD_ROLE(huge_server) {
  TellParent(Serve(FileSource::OfSizes({100'000'000'000}), {.mode = kMode, .run_folder = arguments[0]}, [] {
               TellParent("listening");
             }).ToString());
  return 0;
}

// Connects, says so, and waits to be killed.
SLUICE_CHILD_ROLE(idle_client) {
  const absl::StatusOr<std::unique_ptr<Asker>> asker =
      Connect({.mode = kMode, .run_folder = arguments[0], .timeout = TimeLimit()});
  TellParent(asker.status().ToString());
  HearParent();
  return 0;
}

class ServeTest : public ::testing::Test {
 protected:
  Child StartServer(const std::string& memory, const std::string& clients) {
    Child server = Child::Start("server", {folder_.path(), memory, clients});
    EXPECT_EQ(server.Hear(), "listening");
    return server;
  }

  // What comes of asking for `files`, one after the other; of the last.
  absl::Status Ask(std::initializer_list<std::string> files) {
    absl::StatusOr<std::unique_ptr<Asker>> asker =
        Connect({.mode = kMode, .run_folder = folder_.path(), .timeout = TimeLimit()});
    if (!asker.ok()) return asker.status();
    absl::Status result;
    for (const std::string& file : files) {
      const absl::StatusOr<Body::Reader> body = (*asker)->Ask(file, TimeLimit());
      result = body.ok() ? FileIn(*body).status() : body.status();
      (*asker)->Release();
    }
    return result;
  }

  const TempDir folder_;
};

TEST_F(ServeTest, EndsWithItsClient) {
  Child server = StartServer("0", "1");
  EXPECT_OK(Ask({"300KB", "500KB", "300KB"}));
  EXPECT_EQ(server.Hear(), "OK");
}

TEST_F(ServeTest, ServesOneAfterTheOther) {
  Child server = StartServer("0", "2");
  EXPECT_OK(Ask({"300KB"}));
  EXPECT_OK(Ask({"300KB"}));
  EXPECT_EQ(server.Hear(), "OK");
}

TEST_F(ServeTest, GoesOnAfterAClientWasKilled) {
  Child server = StartServer("0", "2");
  Child client = Child::Start("idle_client", {folder_.path()});
  ASSERT_EQ(client.Hear(), "OK");
  client.Kill();
  EXPECT_OK(Ask({"300KB"}));
  EXPECT_THAT(server.Hear(), StartsWith("UNAVAILABLE: serve client cacheCli (pid "));
}

TEST_F(ServeTest, ItsMemoryHasALimit) {
  Child server = StartServer("800000", "2");
  EXPECT_OK(Ask({"300KB", "500KB", "300KB"}));
  EXPECT_OK(Ask({"500KB", "300KB"}));
  EXPECT_EQ(server.Hear(), "OK");
  Child smaller = StartServer("799999", "1");
  EXPECT_THAT(Ask({"300KB", "500KB"}).ToString(),
              StartsWith("RESOURCE_EXHAUSTED: file 500KB has 500000 bytes, 300000 are held, and --memory allows"));
  EXPECT_THAT(smaller.Hear(), HasSubstr("--memory allows"));
}

TEST_F(ServeTest, TheMachinesMemoryIsALimit) {
  Child server = Child::Start("huge_server", {folder_.path()});
  ASSERT_EQ(server.Hear(), "listening");
  EXPECT_THAT(Ask({"100GB"}).ToString(), HasSubstr("this machine has"));
}

TEST_F(ServeTest, ASecondServerIsRefused) {
  const Child server = StartServer("0", "1");
  Child second = Child::Start("server", {folder_.path(), "0", "1"});
  EXPECT_THAT(second.Hear(), StartsWith("ALREADY_EXISTS"));
  EXPECT_OK(Ask({"300KB"}));
}

}  // namespace
}  // namespace cache_demo
