// K1, K2: either side of a login is killed at each point that it comes to. What the points are, a first run tells.

#include <csignal>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;

// Logs in, asks once, and tells the answer and the points that it came to. Argument: the run folder.
SLUICE_CHILD_ROLE(client) {
  const OsTesting os;
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) {
    TellParent(session.status().ToString());
    return 1;
  }
  Channel channel = session->TakeChannel(0);
  TellParent(Ask(channel, "hello"));
  TellParent(absl::StrJoin(os.points(), " "));
  return 0;
}

// Serves one client, and tells the points that it came to. Argument: the run folder.
SLUICE_CHILD_ROLE(server) {
  const OsTesting os;
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  absl::StatusOr<Session> session = server->Accept(TimeLimit());
  if (!session.ok()) return 2;
  Channel channel = session->TakeChannel(0);
  Echo(channel).IgnoreError();
  TellParent(absl::StrJoin(os.points(), " "));
  return 0;
}

Child StartAt(const std::string& role, const std::string& folder, const OsInstruction& instruction) {
  return Child::Start(role, {folder}, {.environment = {OsEnvironment({instruction})}, .inherited = {}});
}

// A live server in this process, driven by hand, so that what it holds can be seen.
class KilledClientTest : public ::testing::Test {
 protected:
  // Takes clients in until `client` is done, and serves it; false: it could not be served.
  bool Serve(const Child& client) {
    while (true) {
      absl::StatusOr<Session> session = server_->Accept(TimeLimit());
      if (!session.ok()) return false;
      Channel channel = session->TakeChannel(0);
      Echo(channel).IgnoreError();
      if (session->peer().credentials.pid == client.pid()) return true;
    }
  }

  // A fresh client is let in. Returns the points that it came to.
  std::vector<std::string> ServeFreshClient() {
    Child client = Child::Start("client", {folder_.path()});
    EXPECT_TRUE(Serve(client));
    EXPECT_EQ(client.Hear(), "hello");
    const std::string points = client.Hear();
    EXPECT_EQ(client.Wait(), 0);
    return absl::StrSplit(points, ' ');
  }

  // Goes on with the login of a client that kills itself at `point`, until it is dead; a session that comes of it is
  // dropped.
  void KillClientAt(const std::string& point) {
    Child client = StartAt("client", folder_.path(), KillAt(point));
    ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(client.pid()));
    while (!process.HasEnded()) server_->Accept(absl::Milliseconds(5)).IgnoreError();
    EXPECT_EQ(client.Wait(), -SIGKILL);
  }

  const LogLines quiet_;
  const TempDir folder_;
  absl::StatusOr<Server> server_ = Server::Listen(kTestServer, ServerOptionsIn(folder_.path()));
};

// K1
TEST_F(KilledClientTest, LeavesNothingBehindWhereverItDies) {
  ASSERT_OK(server_);
  const std::vector<std::string> points = ServeFreshClient();
  EXPECT_THAT(points,
              ElementsAre("session.connected", "session.hello.sent", "session.welcome.received", "session.ready.sent"));
  const World before = World::Now();
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    KillClientAt(point);
    ServeFreshClient();
    EXPECT_EQ(World::Now(), before);
  }
}

// B3: one that stops in its login keeps nobody else out, and is let in once it goes on.
TEST_F(KilledClientTest, AStoppedOneKeepsNobodyOut) {
  ASSERT_OK(server_);
  for (const char* const point : {"session.connected", "session.hello.sent"}) {
    Child client = StartAt("client", folder_.path(), StopAt(point));
    client.WaitUntilStopped();
    ServeFreshClient();
    client.Continue();
    EXPECT_TRUE(Serve(client));
    EXPECT_EQ(client.Hear(), "hello");
  }
}

// What becomes of a client's login and session.
absl::Status ConnectAndWaitForEnd(const std::string& folder) {
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(folder));
  return session.ok() ? session->WaitForEnd(TimeLimit()) : session.status();
}

std::string AskServer(const std::string& folder) {
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(folder));
  if (!session.ok()) return session.status().ToString();
  Channel channel = session->TakeChannel(0);
  return Ask(channel, "hello");
}

// A server that kills itself at `point`, its client, and the next server in the same run folder.
void KillServerAt(const std::string& run_folder, const std::string& point) {
  Child server = StartAt("server", run_folder, KillAt(point));
  server.Hear();  // Listening, or dead before that.
  EXPECT_THAT(ConnectAndWaitForEnd(run_folder), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(server.Wait(), -SIGKILL);

  Child next = Child::Start("server", {run_folder});
  ASSERT_EQ(next.Hear(), "listening");
  EXPECT_EQ(AskServer(run_folder), "hello");
  EXPECT_EQ(next.Wait(), 0);
}

// K2
TEST(KilledServerTest, TheClientLearnsOfItAndTheNextServerTakesOver) {
  const TempDir folder;
  std::vector<std::string> points;
  {
    Child server = Child::Start("server", {folder.path() + "/first"});
    ASSERT_EQ(server.Hear(), "listening");
    EXPECT_EQ(AskServer(folder.path() + "/first"), "hello");
    points = absl::StrSplit(server.Hear(), ' ');
  }
  EXPECT_THAT(points, ElementsAre("session.listen.folder", "session.listen.lock_opened", "session.listen.locked",
                                  "socket.bound", "session.listening", "session.accepted", "session.hello.received",
                                  "session.welcome.sent", "session.ready.received"));
  const World before = World::Now();
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    KillServerAt(absl::StrCat(folder.path(), "/", point), point);
    EXPECT_EQ(World::Now(), before);
  }
}

// B3: a server that stops in a login costs the client its deadline and no more.
TEST(StoppedServerTest, TheClientWaitsNoLongerThanItsDeadline) {
  const TempDir folder;
  for (const char* const point : {"session.accepted", "session.hello.received"}) {
    Child server = StartAt("server", folder.path(), StopAt(point));
    ASSERT_EQ(server.Hear(), "listening");
    SessionOptions options = OptionsIn(folder.path());
    options.deadline = Deadline(absl::Milliseconds(50));
    EXPECT_THAT(Session::Connect(kTestClient, kTestServer, options), StatusIs(absl::StatusCode::kDeadlineExceeded));
  }
}

}  // namespace
}  // namespace ipc::testing
