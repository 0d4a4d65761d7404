#include "ipc_session/session.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/testing/universe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// An echo server: serves one session after the other, on all channels in turn.
SLUICE_CHILD_ROLE(echo_server) {
  ServerOptions options = ServerOptionsIn(arguments[0]);
  options.session.metadata = "of the server";
  absl::StatusOr<Server> server = Server::Listen(kTestServer, options);
  if (!server.ok()) {
    TellParent(server.status().ToString());
    return 1;
  }
  TellParent("listening");
  while (true) {
    absl::StatusOr<Session> session = server->Accept(Deadline::Never());
    if (!session.ok()) return 2;
    Channel channel = session->TakeChannel(0);
    Echo(channel).IgnoreError();
  }
}

// Answers one question, and exits without a goodbye.
SLUICE_CHILD_ROLE(exiting_server) {
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  if (!server.ok()) return 1;
  TellParent("listening");
  absl::StatusOr<Session> session = server->Accept(Deadline::Never());
  if (!session.ok()) return 2;
  Channel channel = session->TakeChannel(0);
  std::byte buffer[16];
  if (!channel.Receive(absl::MakeSpan(buffer)).ok()) return 3;
  if (!channel.Send(std::as_bytes(std::span("soon", 4))).ok()) return 4;
  _exit(7);
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename());
  return {names.begin(), names.end()};
}

// Both ends of a session in this process.
class SessionTest : public ::testing::Test {
 protected:
  void Open(const SessionOptions& client_options, const ServerOptions& server_options) {
    ASSERT_OK_AND_ASSIGN(server_, Server::Listen(kTestServer, server_options));
    absl::StatusOr<Session> connected = absl::UnknownError("not done");
    std::thread client([&] { connected = Session::Connect(kTestClient, kTestServer, client_options); });
    absl::StatusOr<Session> accepted = server_->Accept(TimeLimit());
    client.join();
    ASSERT_OK(connected);
    ASSERT_OK(accepted);
    client_ = *std::move(connected);
    served_ = *std::move(accepted);
  }
  void Open() { Open(OptionsIn(folder_.path()), ServerOptionsIn(folder_.path())); }

  TempDir folder_;
  std::optional<Server> server_;
  std::optional<Session> client_;
  std::optional<Session> served_;
};

TEST_F(SessionTest, BothSidesKnowEachOther) {
  SessionOptions client_options = OptionsIn(folder_.path());
  client_options.metadata = "of the client";
  ServerOptions server_options = ServerOptionsIn(folder_.path());
  server_options.session.metadata = std::string("of the\0server", 13);
  Open(client_options, server_options);
  EXPECT_EQ(client_->peer().app, "cacheSrv");
  EXPECT_EQ(served_->peer().app, "cacheCli");
  EXPECT_EQ(client_->peer().credentials, OwnCredentials());
  EXPECT_EQ(served_->peer().credentials, OwnCredentials());
  EXPECT_EQ(client_->peer_metadata(), std::string("of the\0server", 13));
  EXPECT_EQ(served_->peer_metadata(), "of the client");
  EXPECT_EQ(client_->message_store(), nullptr);
}

TEST_F(SessionTest, TheGreaterWishForChannelsWins) {
  SessionOptions client_options = OptionsIn(folder_.path());
  client_options.channels = 2;
  client_options.ring_bytes = 4096;
  ServerOptions server_options = ServerOptionsIn(folder_.path());
  server_options.session.channels = 64;
  Open(client_options, server_options);
  EXPECT_EQ(client_->channel_count(), 64);
  EXPECT_EQ(served_->channel_count(), 64);
  for (const int index : {0, 63}) {
    Channel here = client_->TakeChannel(index);
    Channel there = served_->TakeChannel(index);
    ASSERT_OK(there.Send(absl::MakeConstSpan(reinterpret_cast<const std::byte*>("x"), 1)));
    std::byte buffer[1];
    EXPECT_THAT(here.Receive(absl::MakeSpan(buffer)), IsOkAndHolds(1));
  }
}

TEST_F(SessionTest, AChannelIsTakenOnce) {
  Open();
  EXPECT_TRUE(client_->TakeChannel(0).valid());
  EXPECT_FALSE(client_->TakeChannel(0).valid());
  EXPECT_FALSE(client_->TakeChannel(1).valid());
  EXPECT_FALSE(client_->TakeChannel(-1).valid());
}

TEST_F(SessionTest, NoChannelsAtAllIsASessionToo) {
  SessionOptions client_options = OptionsIn(folder_.path());
  client_options.channels = 0;
  ServerOptions server_options = ServerOptionsIn(folder_.path());
  server_options.session.channels = 0;
  Open(client_options, server_options);
  EXPECT_EQ(client_->channel_count(), 0);
  EXPECT_OK(client_->status());
  served_.reset();
  EXPECT_EQ(ReasonOf(client_->WaitForEnd(TimeLimit())), Reason::kGoodbye);
}

TEST_F(SessionTest, DestroyingOneSideIsAGoodbyeAndDataComesFirst) {
  Open();
  Channel here = client_->TakeChannel(0);
  Channel there = served_->TakeChannel(0);
  ASSERT_OK(here.Send(absl::MakeConstSpan(reinterpret_cast<const std::byte*>("last"), 4)));
  client_.reset();
  EXPECT_THAT(served_->WaitForEnd(TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(served_->status()), Reason::kGoodbye);
  std::byte buffer[16];
  EXPECT_THAT(there.Receive(absl::MakeSpan(buffer)), IsOkAndHolds(4));
  const absl::Status end = there.Receive(absl::MakeSpan(buffer)).status();
  EXPECT_THAT(end, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(end), Reason::kGoodbye);
  EXPECT_THAT(here.Receive(absl::MakeSpan(buffer)), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(SessionTest, AnAssignedSessionEndsTheOldOne) {
  Open();
  Channel there = served_->TakeChannel(0);
  Session other = *std::move(client_);
  client_.reset();
  EXPECT_OK(served_->status());
  other = *std::move(served_);
  std::byte buffer[1];
  EXPECT_EQ(ReasonOf(there.Receive(absl::MakeSpan(buffer)).status()), Reason::kGoodbye);
}

TEST_F(SessionTest, WaitForEndHasADeadline) {
  Open();
  EXPECT_THAT(client_->WaitForEnd(Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_OK(client_->status());
}

TEST_F(SessionTest, LeavesNothingBehind) {
  {
    TempDir warm_up;
    ASSERT_OK(Server::Listen(kTestServer, ServerOptionsIn(warm_up.path())));
  }
  const World before = World::Now();
  Open();
  client_.reset();
  served_.reset();
  EXPECT_THAT(NamesIn(folder_.path()), ElementsAre("cacheSrv.lock", "cacheSrv.sock"));
  server_.reset();
  EXPECT_EQ(World::Now(), before);
  EXPECT_THAT(NamesIn(folder_.path()), ElementsAre("cacheSrv.lock"));
}

TEST_F(SessionTest, ConnectNamesTheWrongOption) {
  SessionOptions options = OptionsIn(folder_.path());
  options.channels = 1025;
  EXPECT_THAT(Session::Connect(kTestClient, kTestServer, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("SessionOptions.channels is 1025")));
  EXPECT_THAT(Session::Connect(App{.name = "a b"}, kTestServer, OptionsIn(folder_.path())),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("App.name is \"a b\"")));
}

TEST_F(SessionTest, NobodyListens) {
  const absl::Status status = Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("connect app cacheCli to server cacheSrv")));
  EXPECT_EQ(ReasonOf(status), Reason::kNoServer);
  EXPECT_EQ(ReasonOf(Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path() + "/none")).status()),
            Reason::kNoServer);
}

TEST_F(SessionTest, AnotherProcessAnswers) {
  const World before = World::Now();
  {
    Child server = Child::Start("echo_server", {folder_.path()});
    ASSERT_EQ(server.Hear(), "listening");
    ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())));
    EXPECT_EQ(session.peer_metadata(), "of the server");
    EXPECT_EQ(session.peer().credentials.pid, server.pid());
    Channel channel = session.TakeChannel(0);
    EXPECT_EQ(Ask(channel, "hello"), "hello");
  }
  EXPECT_EQ(World::Now(), before);
}

// What was sent before comes first; then the session ends, with the exit code, without a goodbye.
TEST_F(SessionTest, AServerThatExitsIsToldApart) {
  Child server = Child::Start("exiting_server", {folder_.path()});
  ASSERT_EQ(server.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())));
  Channel channel = session.TakeChannel(0);
  EXPECT_EQ(Ask(channel, "exit"), "soon");
  server.WaitUntilEnded();
  const absl::Status end = session.WaitForEnd(TimeLimit());
  EXPECT_THAT(end, StatusIs(absl::StatusCode::kUnavailable,
                            absl::StrCat("the peer's process ", server.pid(), " exited with code 7")));
  EXPECT_EQ(ReasonOf(end), Reason::kExited);
}

// K2
TEST_F(SessionTest, AKilledServerEndsTheSessionAndTheNextTakesOver) {
  Child server = Child::Start("echo_server", {folder_.path()});
  ASSERT_EQ(server.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())));
  Channel channel = session.TakeChannel(0);
  ASSERT_EQ(Ask(channel, "hello"), "hello");
  ASSERT_EQ(kill(server.pid(), SIGKILL), 0);
  server.WaitUntilEnded();
  EXPECT_THAT(session.WaitForEnd(TimeLimit()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("was killed by signal 9")));
  EXPECT_EQ(ReasonOf(session.status()), Reason::kKilled);
  std::byte buffer[1];
  EXPECT_THAT(channel.Receive(absl::MakeSpan(buffer)), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(NamesIn(folder_.path()), ElementsAre("cacheSrv.lock", "cacheSrv.sock"));

  Child next = Child::Start("echo_server", {folder_.path()});
  ASSERT_EQ(next.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session again, Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())));
  Channel anew = again.TakeChannel(0);
  EXPECT_EQ(Ask(anew, "hello"), "hello");
}

}  // namespace
}  // namespace ipc::testing
