#include "ipc_session/server.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// Listens, says how that went, and serves whoever comes, each in a thread of its own.
SLUICE_CHILD_ROLE(echo_server) {
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  TellParent(server.ok() ? "listening" : server.status().ToString());
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

// Connects as the app that it is told, asks once, says what came, and stays until told otherwise.
SLUICE_CHILD_ROLE(client) {
  const App app = {.name = arguments[1]};
  absl::StatusOr<Session> session = Session::Connect(app, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) {
    TellParent(session.status().ToString());
    return 1;
  }
  Channel channel = session->TakeChannel(0);
  TellParent(Ask(channel, "a question"));
  HearParent();
  return 0;
}

class ServerTest : public ::testing::Test {
 protected:
  absl::Status ListenStatus(const ServerApp& app, const ServerOptions& options) {
    return Server::Listen(app, options).status();
  }

  // Whether a fresh client is served.
  void ExpectServes() {
    ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())));
    Channel channel = session.TakeChannel(0);
    EXPECT_EQ(Ask(channel, "hello"), "hello");
  }

  TempDir folder_;
  const ServerOptions options_ = ServerOptionsIn(folder_.path());
};

TEST_F(ServerTest, ValidatesItsClients) {
  ServerOptions options = options_;
  options.clients = {};
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("no definition of cacheCli")));
  options.clients = {kTestClient, App{.name = "stranger"}};
  EXPECT_THAT(ListenStatus(kTestServer, options),
              StatusIs(kInvalid, HasSubstr("clients[1] is stranger, which is not in allowed_clients")));
  options.clients = {kTestClient, kTestClient};
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("defined more than once")));
  options.clients = {App{.name = "cacheCli", .executable = "here"}};
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("ServerOptions.clients[0]: App.exec")));
}

TEST_F(ServerTest, ValidatesItsOptions) {
  ServerOptions options = options_;
  options.login_timeout = absl::ZeroDuration();
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("login_timeout is 0")));
  options.login_timeout = absl::InfiniteDuration();
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("login_timeout is inf")));
  options = options_;
  options.max_pending_logins = 0;
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("max_pending_logins is 0")));
  options = options_;
  options.max_pending_logins_per_uid = 0;
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("max_pending_logins_per_uid is 0")));
  options = options_;
  options.max_sessions = 0;
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("max_sessions is 0")));
  options = options_;
  options.max_sessions_per_uid = -1;
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("max_sessions_per_uid is -1")));
  options = options_;
  options.session.ring_bytes = 1;
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("SessionOptions.ring_bytes is 1")));
  options = options_;
  options.session.run_folder = "/" + std::string(100, 'x');
  EXPECT_THAT(ListenStatus(kTestServer, options), StatusIs(kInvalid, HasSubstr("choose a shorter run_folder")));
  EXPECT_THAT(ListenStatus(ServerApp{.app = {.name = "s"}}, options_), StatusIs(kInvalid));
}

TEST_F(ServerTest, ListensOnlyAsTheUserThatTheUniverseNames) {
  ServerApp app = kTestServer;
  app.app.uid = geteuid() + 1;
  const absl::Status status = ListenStatus(app, options_);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("listen as server cacheSrv")));
  EXPECT_EQ(ReasonOf(status), Reason::kWrongUser);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(ServerTest, ASecondServerInAnotherProcessDisturbsNothing) {
  Child server = Child::Start("echo_server", {folder_.path()});
  ASSERT_EQ(server.Hear(), "listening");
  EXPECT_THAT(ListenStatus(kTestServer, options_),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("a live server of app cacheSrv exists")));
  ExpectServes();
}

TEST_F(ServerTest, ASecondServerInTheSameProcessDisturbsNothing) {
  ASSERT_OK_AND_ASSIGN(const Server server, Server::Listen(kTestServer, options_));
  EXPECT_THAT(ListenStatus(kTestServer, options_), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_TRUE(std::filesystem::is_socket(absl::StrCat(folder_.path(), "/cacheSrv.sock")));
  EXPECT_THAT(Child::Start("echo_server", {folder_.path()}).Hear(), HasSubstr("ALREADY_EXISTS"));
}

TEST_F(ServerTest, ServersOfTwoAppsShareAFolder) {
  ServerApp other = kTestServer;
  other.app.name = "other";
  ASSERT_OK_AND_ASSIGN(const Server server, Server::Listen(kTestServer, options_));
  EXPECT_OK(ListenStatus(other, options_));
  EXPECT_THAT(ListenStatus(kTestServer, options_), StatusIs(absl::StatusCode::kAlreadyExists));
}

// S1, K2
TEST_F(ServerTest, AKilledServersSocketAndLockAreTakenOver) {
  Child server = Child::Start("echo_server", {folder_.path()});
  ASSERT_EQ(server.Hear(), "listening");
  server.Kill();
  EXPECT_TRUE(std::filesystem::is_socket(absl::StrCat(folder_.path(), "/cacheSrv.sock")));
  EXPECT_EQ(ReasonOf(Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())).status()),
            Reason::kNoServer);
  Child next = Child::Start("echo_server", {folder_.path()});
  ASSERT_EQ(next.Hear(), "listening");
  ExpectServes();
}

// Neither its socket nor its run folder is there yet.
TEST_F(ServerTest, AClientMayComeBeforeItsServer) {
  const std::string run_folder = folder_.path() + "/run";
  SessionOptions options = OptionsIn(run_folder);
  options.wait_for_server = true;
  const OsTesting os;
  std::string answer;
  std::thread client([&] {
    absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, options);
    ASSERT_OK(session);
    Channel channel = session->TakeChannel(0);
    answer = Ask(channel, "hello");
  });
  while (os.calls("Open") < 3) std::this_thread::yield();
  EXPECT_EQ(os.calls("Connect"), 0);
  Child server = Child::Start("echo_server", {run_folder});
  EXPECT_EQ(server.Hear(), "listening");
  client.join();
  EXPECT_EQ(answer, "hello");
}

TEST_F(ServerTest, AClientThatWaitsInVainSaysForWhat) {
  SessionOptions options = OptionsIn(folder_.path());
  options.wait_for_server = true;
  options.deadline = Deadline(absl::Milliseconds(20));
  const absl::Status status = Session::Connect(kTestClient, kTestServer, options).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("no server listens at")));
  EXPECT_EQ(ReasonOf(status), Reason::kNoServer);
}

TEST_F(ServerTest, SessionsOutliveTheServerObject) {
  absl::StatusOr<Server> server = Server::Listen(kTestServer, options_);
  ASSERT_OK(server);
  Child client = Child::Start("client", {folder_.path(), "cacheCli"});
  ASSERT_OK_AND_ASSIGN(Session session, server->Accept(TimeLimit()));
  server = absl::UnknownError("destroyed");
  EXPECT_FALSE(std::filesystem::exists(absl::StrCat(folder_.path(), "/cacheSrv.sock")));
  Channel channel = session.TakeChannel(0);
  std::thread echo([&] { Echo(channel).IgnoreError(); });
  EXPECT_EQ(client.Hear(), "a question");
  client.Kill();
  echo.join();
  EXPECT_THAT(session.WaitForEnd(TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ServerTest, ManyClientsAtOnce) {
  Child server = Child::Start("echo_server", {folder_.path()});
  ASSERT_EQ(server.Hear(), "listening");
  std::vector<Child> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(Child::Start("client", {folder_.path(), "cacheCli"}));
  for (Child& client : clients) EXPECT_EQ(client.Hear(), "a question");
  for (Child& client : clients) client.Tell("go");
  for (Child& client : clients) EXPECT_EQ(client.Wait(), 0);
  ExpectServes();
}

// Several at once, and others that say nothing: one thread, one poll.
TEST_F(ServerTest, AnEventLoopServesManyClients) {
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, options_));
  ASSERT_OK_AND_ASSIGN(const FdView wait_fd, server.wait_fd());
  EXPECT_THAT(server.TryAccept(), IsOkAndHolds(::testing::Eq(std::nullopt)));
  std::vector<Fd> silent;
  for (int i = 0; i < 5; ++i) {
    silent.push_back(
        ipc::internal::ConnectToListener(absl::StrCat(folder_.path(), "/cacheSrv.sock"), TimeLimit()).value());
  }
  std::vector<Child> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(Child::Start("client", {folder_.path(), "cacheCli"}));
  std::vector<std::thread> echoes;
  while (echoes.size() < clients.size()) {
    ASSERT_TRUE(BecomesReadable(wait_fd));
    ASSERT_OK_AND_ASSIGN(std::optional<Session> session, server.TryAccept());
    if (!session.has_value()) continue;
    echoes.emplace_back([owned = *std::move(session)]() mutable {
      Channel channel = owned.TakeChannel(0);
      Echo(channel).IgnoreError();
    });
  }
  for (Child& client : clients) EXPECT_EQ(client.Hear(), "a question");
  for (Child& client : clients) client.Tell("go");
  for (std::thread& echo : echoes) echo.join();
}

// B5: it is the server's clock that ends a silent login.
TEST_F(ServerTest, AnEventLoopEndsSilentLogins) {
  LogLines log;
  ServerOptions options = options_;
  options.login_timeout = absl::Milliseconds(20);
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, options));
  ASSERT_OK_AND_ASSIGN(const FdView wait_fd, server.wait_fd());
  const Fd silent =
      ipc::internal::ConnectToListener(absl::StrCat(folder_.path(), "/cacheSrv.sock"), TimeLimit()).value();
  while (log.lines().empty()) {
    ASSERT_TRUE(BecomesReadable(wait_fd));
    EXPECT_THAT(server.TryAccept(), IsOkAndHolds(::testing::Eq(std::nullopt)));
  }
  EXPECT_THAT(log.lines(), ElementsAre(HasSubstr("no hello came in time")));
  EXPECT_FALSE(IsReadable(wait_fd));
}

// A5
TEST_F(ServerTest, AnAppThatIsNotListedIsToldSoAndLogged) {
  LogLines log;
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, options_));
  Child client = Child::Start("client", {folder_.path(), "stranger"});
  std::string answer;
  std::thread wait([&] { answer = client.Hear(); });
  while (log.lines().empty()) {
    ASSERT_THAT(server.Accept(absl::Milliseconds(10)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  }
  wait.join();
  EXPECT_THAT(answer, HasSubstr("refused: the app is not on the server's list"));
  EXPECT_THAT(log.lines(), Contains(HasSubstr("app stranger is not in allowed_clients")));
}

// The client learns that there is a limit, the log which.
TEST_F(ServerTest, BeyondTheLimitOfSessionsAClientIsRefused) {
  LogLines log;
  ServerOptions options = options_;
  options.max_sessions = 1;
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, options));
  Child first = Child::Start("client", {folder_.path(), "cacheCli"});
  ASSERT_OK_AND_ASSIGN(const Session session, server.Accept(TimeLimit()));
  absl::Status refused;
  std::thread second([&] { refused = Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())).status(); });
  while (log.lines().empty()) {
    ASSERT_THAT(server.Accept(absl::Milliseconds(10)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  }
  second.join();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "connect app cacheCli to server cacheSrv: refused: the server is at a limit"));
  EXPECT_EQ(ReasonOf(refused), Reason::kLimit);
  EXPECT_THAT(log.lines(), Contains(HasSubstr("there are 1 sessions (max_sessions 1)")));

  first.Kill();  // Ends its session, though the server holds its side.
  const Child next = Child::Start("client", {folder_.path(), "cacheCli"});
  EXPECT_OK(server.Accept(TimeLimit()));
}

// K1: with a second, uninvolved session that loses nothing.
TEST_F(ServerTest, AKilledClientEndsItsSessionAlone) {
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, options_));
  Child victim = Child::Start("client", {folder_.path(), "cacheCli"});
  ASSERT_OK_AND_ASSIGN(Session session, server.Accept(TimeLimit()));
  Child bystander = Child::Start("client", {folder_.path(), "cacheCli"});
  ASSERT_OK_AND_ASSIGN(Session other, server.Accept(TimeLimit()));
  EXPECT_TRUE(session.peer().process_watched);
  Channel channel = session.TakeChannel(0);
  std::byte buffer[64];
  ASSERT_THAT(channel.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOkAndHolds(10));
  ASSERT_EQ(kill(victim.pid(), SIGKILL), 0);
  victim.WaitUntilEnded();
  EXPECT_EQ(ReasonOf(channel.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status()), Reason::kKilled);
  EXPECT_EQ(ReasonOf(session.WaitForEnd(TimeLimit())), Reason::kKilled);

  Channel others = other.TakeChannel(0);
  std::thread echo([&] { EXPECT_EQ(ReasonOf(Echo(others)), Reason::kGoodbye); });
  EXPECT_EQ(bystander.Hear(), "a question");
  bystander.Tell("go");
  EXPECT_EQ(bystander.Wait(), 0);
  echo.join();
}

// P2
TEST_F(ServerTest, AForkedChildsExitLeavesTheServerAsItIs) {
  absl::StatusOr<Server> server = Server::Listen(kTestServer, options_);
  ASSERT_OK(server);
  const pid_t child = fork();
  if (child == 0) {
    const bool refused = absl::IsFailedPrecondition(server->Accept(Deadline::Never()).status()) &&
                         absl::IsFailedPrecondition(server->TryAccept().status()) &&
                         absl::IsFailedPrecondition(server->wait_fd().status());
    server = absl::UnknownError("destroyed");
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::is_socket(absl::StrCat(folder_.path(), "/cacheSrv.sock")));
  EXPECT_THAT(Child::Start("echo_server", {folder_.path()}).Hear(), HasSubstr("ALREADY_EXISTS"));
}

}  // namespace
}  // namespace ipc::testing
