// What comes after deaths: the next server takes over whatever the dead left, and clients come back.

#include <poll.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

// Listens, tells how that went and the points that it came to, and serves each client in a thread of its own until it
// is killed. Argument: the run folder.
SLUICE_CHILD_ROLE(server) {
  const LogLines quiet;
  std::string points;
  absl::StatusOr<Server> server = [&] {
    const OsTesting os;
    absl::StatusOr<Server> listening = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
    points = absl::StrJoin(os.points(), " ");
    return listening;
  }();
  TellParent(server.ok() ? "listening" : server.status().ToString());
  TellParent(points);
  if (!server.ok()) return 1;
  while (true) {
    absl::StatusOr<Session> session = server->Accept(Deadline::Never());
    if (!session.ok()) return 2;
    std::thread([owned = *std::move(session)]() mutable {
      Channel channel = owned.TakeChannel(0);
      Echo(channel).IgnoreError();
    }).detach();
  }
}

// Asks again and again until it is killed, and says so once. Argument: the run folder.
SLUICE_CHILD_ROLE(client) {
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) {
    TellParent(session.status().ToString());
    return 1;
  }
  Channel channel = session->TakeChannel(0);
  TellParent(Ask(channel, "hello"));
  while (Ask(channel, "hello") == "hello") {
  }
  return 2;
}

std::string AskServer(const std::string& folder) {
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(folder));
  if (!session.ok()) return session.status().ToString();
  Channel channel = session->TakeChannel(0);
  return Ask(channel, "hello");
}

std::set<std::string> NamesIn(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

class TakeoverTest : public ::testing::Test {
 protected:
  Child StartServer() { return Child::Start("server", {folder_.path()}); }

  const TempDir folder_;
};

// K9, S1: at each point of the way, and of two that come then, one is the server.
TEST_F(TakeoverTest, AServerThatIsKilledWhileItTakesOverIsTakenOver) {
  std::vector<std::string> points;
  {
    Child first = StartServer();
    ASSERT_EQ(first.Hear(), "listening");
    points = absl::StrSplit(first.Hear(), ' ', absl::SkipEmpty());
    first.Kill();
  }
  EXPECT_THAT(points, Not(IsEmpty()));
  const World before = World::Now();
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    {
      Child killed =
          Child::Start("server", {folder_.path()}, {.environment = {OsEnvironment({KillAt(point)})}, .inherited = {}});
      EXPECT_EQ(killed.Wait(), -SIGKILL);
      Child one = StartServer();
      Child other = StartServer();
      const std::vector<std::string> answers = {one.Hear(), other.Hear()};
      EXPECT_THAT(answers, UnorderedElementsAre("listening", StartsWith("ALREADY_EXISTS")));
      EXPECT_EQ(AskServer(folder_.path()), "hello");
    }
    EXPECT_EQ(World::Now(), before);
    EXPECT_THAT(NamesIn(folder_.path()), ElementsAre("cacheSrv.lock", "cacheSrv.sock"));
  }
}

// K10
TEST_F(TakeoverTest, BothSidesKilledAtOnceLeaveOnlyTheServersFiles) {
  constexpr int kRounds = 50;
  const World before = World::Now();
  for (int i = 0; i < kRounds; ++i) {
    {
      Child server = StartServer();
      ASSERT_EQ(server.Hear(), "listening");
      Child client = Child::Start("client", {folder_.path()});
      ASSERT_EQ(client.Hear(), "hello");
      ASSERT_EQ(kill(i % 2 == 0 ? client.pid() : server.pid(), SIGKILL), 0);
      ASSERT_EQ(kill(i % 2 == 0 ? server.pid() : client.pid(), SIGKILL), 0);
    }
    ASSERT_EQ(World::Now(), before);
    ASSERT_THAT(NamesIn(folder_.path()), ElementsAre("cacheSrv.lock", "cacheSrv.sock"));
  }
}

// Clients that come back whenever they lose their server. Arguments: the run folder, how many, and how often. Tells
// each time when all have had an answer.
SLUICE_CHILD_ROLE(faithful_clients) {
  int count = 0;
  int rounds = 0;
  if (!absl::SimpleAtoi(arguments[1], &count) || !absl::SimpleAtoi(arguments[2], &rounds)) return 1;
  std::vector<std::atomic<int>> answered(rounds);  // Only counted; orders nothing.
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      const Deadline deadline(TimeLimit());
      for (int round = 0; round < rounds && !deadline.HasPassed();) {
        absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
        if (!session.ok()) {
          poll(nullptr, 0, 1 + i % 10);  // The back-off of a client with manners.
          continue;
        }
        Channel channel = session->TakeChannel(0);
        const std::string text = absl::StrCat("client ", i, " round ", round);
        if (Ask(channel, text) != text) continue;
        if (answered[round].fetch_add(1, std::memory_order_relaxed) + 1 == count) {
          TellParent(absl::StrCat("all in round ", round));
        }
        ++round;
        session->WaitForEnd(deadline).IgnoreError();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

// B6
TEST_F(TakeoverTest, FiftyClientsComeBackAfterARestart) {
  constexpr int kRounds = 3;
  Child clients = Child::Start("faithful_clients", {folder_.path(), "50", absl::StrCat(kRounds)});
  for (int round = 0; round < kRounds; ++round) {
    Child server = StartServer();
    ASSERT_EQ(server.Hear(), "listening");
    EXPECT_EQ(clients.Hear(), absl::StrCat("all in round ", round));
    server.Kill();
  }
  EXPECT_EQ(clients.Wait(), 0);
}

}  // namespace
}  // namespace ipc::testing
