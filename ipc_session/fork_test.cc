// P1, P2: a process with sessions forks. Its child's copies fail cleanly and harm nobody; a peer learns of the death of
// the process that it talked to, whoever has copies.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

constexpr int kChannels = 3;

SessionOptions ChannelsIn(const std::string& folder) {
  SessionOptions options = OptionsIn(folder);
  options.channels = kChannels;
  return options;
}

// Serves all channels of one client after the other until it is killed. Argument: the run folder.
SLUICE_CHILD_ROLE(server) {
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  while (true) {
    absl::StatusOr<Session> session = server->Accept(Deadline::Never());
    if (!session.ok()) return 2;
    std::vector<std::thread> echoes;
    for (int i = 0; i < session->channel_count(); ++i) {
      echoes.emplace_back([channel = session->TakeChannel(i)]() mutable { Echo(channel).IgnoreError(); });
    }
    for (std::thread& echo : echoes) echo.join();
  }
}

// The exit code of a forked child that runs `body` and ends by `_exit`; ends the test program where it hangs.
template <typename Body>
int InForkedChild(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(static_cast<unsigned>(absl::ToInt64Seconds(TimeLimit())));
    _exit(body());
  }
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// How many of a forked child's calls on `session` and `channel` do something else than fail cleanly.
int CountWrong(Session& session, Channel& channel) {
  std::byte buffer[16] = {};
  const absl::Status answers[] = {session.status(),
                                  session.WaitForEnd(Deadline::Passed()),
                                  session.WaitForEnd(TimeLimit()),
                                  channel.Send(buffer, {}, TimeLimit()),
                                  channel.TrySend(buffer).status(),
                                  channel.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status(),
                                  channel.TryReceive(absl::MakeSpan(buffer)).status()};
  int wrong = 0;
  for (const absl::Status& answer : answers) wrong += !absl::IsFailedPrecondition(answer);
  return wrong;
}

class ForkTest : public ::testing::Test {
 protected:
  void Connect() {
    server_.emplace(Child::Start("server", {folder_.path()}));
    ASSERT_EQ(server_->Hear(), "listening");
    ASSERT_OK_AND_ASSIGN(session_, Session::Connect(kTestClient, kTestServer, ChannelsIn(folder_.path())));
    channel_ = session_->TakeChannel(0);
    ASSERT_EQ(Ask(channel_, "hello"), "hello");
  }

  const TempDir folder_;
  std::optional<Child> server_;
  std::optional<Session> session_;
  Channel channel_;
};

// P1, E13: the copies are of no use, and neither is a channel that is taken from the copy.
TEST_F(ForkTest, AChildsCallsFailAndItsEndHarmsNothing) {
  Connect();
  EXPECT_EQ(InForkedChild([&] {
              Channel taken = session_->TakeChannel(1);
              int wrong = CountWrong(*session_, channel_) + (taken.valid() ? CountWrong(*session_, taken) : 0);
              taken.Close();
              channel_.Close();
              session_.reset();
              return wrong;
            }),
            0);
  EXPECT_OK(session_->status());
  EXPECT_EQ(Ask(channel_, "hello again"), "hello again");
  Channel other = session_->TakeChannel(1);
  EXPECT_EQ(Ask(other, "hello there"), "hello there");
}

// P1: the child is a client like any other.
TEST_F(ForkTest, AChildConnectsAnew) {
  server_.emplace(Child::Start("server", {folder_.path()}));
  ASSERT_EQ(server_->Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(session_, Session::Connect(kTestClient, kTestServer, ChannelsIn(folder_.path())));
  channel_ = session_->TakeChannel(0);
  session_.reset();
  EXPECT_EQ(InForkedChild([&] {
              absl::StatusOr<Session> anew = Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path()));
              if (!anew.ok()) return 1;
              Channel channel = anew->TakeChannel(0);
              return Ask(channel, "hello") == "hello" ? 0 : 2;
            }),
            0);
}

// P1: clients that wait for the parent are not the child's to take.
TEST_F(ForkTest, AChildIsNoServer) {
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, ServerOptionsIn(folder_.path())));
  EXPECT_EQ(InForkedChild([&] { return absl::IsFailedPrecondition(server.Accept(TimeLimit()).status()) ? 0 : 1; }), 0);
}

// P2: its parent's socket, lock and sessions stay, though it runs all destructors. Argument: the run folder.
SLUICE_CHILD_ROLE(forks_and_serves) {
  static std::optional<Server> server;
  static std::optional<Session> session;
  absl::StatusOr<Server> listening = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  if (!listening.ok()) return 1;
  server = *std::move(listening);
  TellParent("listening");
  absl::StatusOr<Session> accepted = server->Accept(TimeLimit());
  if (!accepted.ok()) return 2;
  session = *std::move(accepted);
  const pid_t child = fork();
  if (child == 0) std::exit(0);
  int status = -1;
  if (waitpid(child, &status, 0) != child || status != 0) return 3;
  Channel channel = session->TakeChannel(0);
  Echo(channel).IgnoreError();
  absl::StatusOr<Session> next = server->Accept(TimeLimit());
  if (!next.ok()) return 4;
  channel = next->TakeChannel(0);
  Echo(channel).IgnoreError();
  return 0;
}

TEST_F(ForkTest, AChildsExitHarmsNothing) {
  Child server = Child::Start("forks_and_serves", {folder_.path()});
  ASSERT_EQ(server.Hear(), "listening");
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())));
    Channel channel = session.TakeChannel(0);
    EXPECT_EQ(Ask(channel, "hello"), "hello");
  }
  EXPECT_EQ(server.Wait(), 0);
}

// Has a child that holds copies of all, and says so when asked, until nobody is there to ask. The parent does not
// listen. Returns in the parent.
void ForkAChildThatStays() {
  if (fork() != 0) return;
  TellParent("forked");
  while (!HearParent().empty()) TellParent("still here");
  _exit(0);
}

// Argument: the run folder.
SLUICE_CHILD_ROLE(forking_client) {
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) return 1;
  ForkAChildThatStays();
  session->WaitForEnd(TimeLimit()).IgnoreError();
  return 0;
}
SLUICE_CHILD_ROLE(forking_server) {
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  if (!server.ok()) return 1;
  TellParent("listening");
  absl::StatusOr<Session> session = server->Accept(TimeLimit());
  if (!session.ok()) return 2;
  ForkAChildThatStays();
  session->WaitForEnd(TimeLimit()).IgnoreError();
  return 0;
}

// Kills `peer`, whose forked child stays, and returns what its `session` says then.
absl::Status KillPeer(Child& peer, Session& session) {
  EXPECT_EQ(peer.Hear(), "forked");
  EXPECT_EQ(kill(peer.pid(), SIGKILL), 0);
  peer.WaitUntilEnded();
  const absl::Status end = session.WaitForEnd(TimeLimit());
  peer.Tell("who is there?");
  EXPECT_EQ(peer.Hear(), "still here");
  return end;
}

// P1, F20: no end of the socket comes, as the child has a copy.
TEST_F(ForkTest, AKilledClientIsNoticedThoughItsChildLives) {
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, ServerOptionsIn(folder_.path())));
  Child client = Child::Start("forking_client", {folder_.path()});
  ASSERT_OK_AND_ASSIGN(Session session, server.Accept(TimeLimit()));
  EXPECT_EQ(ReasonOf(KillPeer(client, session)), Reason::kKilled);
}

// P1, F20
TEST_F(ForkTest, AKilledServerIsNoticedThoughItsChildLives) {
  Child server = Child::Start("forking_server", {folder_.path()});
  ASSERT_EQ(server.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())));
  EXPECT_EQ(ReasonOf(KillPeer(server, session)), Reason::kKilled);
}

// Says goodbye when told to, though its child stays. Argument: the run folder.
SLUICE_CHILD_ROLE(leaving_client) {
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) return 1;
  ForkAChildThatStays();
  return 0;
}

// P1
TEST_F(ForkTest, AGoodbyeIsOneThoughTheChildLives) {
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, ServerOptionsIn(folder_.path())));
  Child client = Child::Start("leaving_client", {folder_.path()});
  ASSERT_OK_AND_ASSIGN(Session session, server.Accept(TimeLimit()));
  EXPECT_EQ(client.Hear(), "forked");
  EXPECT_EQ(ReasonOf(session.WaitForEnd(TimeLimit())), Reason::kGoodbye);
  client.Tell("who is there?");
  EXPECT_EQ(client.Hear(), "still here");
}

// Tells which descriptors it was born with: their numbers, and what kind of thing each is.
SLUICE_CHILD_ROLE(lists_descriptors) {
  std::set<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    if (error || target.find("/proc/") == 0) continue;  // The listing's own.
    found.insert(absl::StrCat(entry.path().filename().string(), ":", target.substr(0, target.find('['))));
  }
  TellParent(absl::StrJoin(found, " "));
  return 0;
}

// P1: server, session, channels, logins under way; none of their descriptors passes an exec.
TEST_F(ForkTest, NoDescriptorSurvivesExec) {
  const std::string before = Child::Start("lists_descriptors").Hear();
  EXPECT_NE(before, "");
  Connect();
  ASSERT_OK_AND_ASSIGN(Server own, Server::Listen(kTestServer, ServerOptionsIn(folder_.path() + "/own")));
  absl::StatusOr<Session> own_client = absl::UnknownError("not done");
  std::thread client(
      [&] { own_client = Session::Connect(kTestClient, kTestServer, ChannelsIn(folder_.path() + "/own")); });
  ASSERT_OK_AND_ASSIGN(Session served, own.Accept(TimeLimit()));
  client.join();
  ASSERT_OK(own_client);
  EXPECT_EQ(Child::Start("lists_descriptors").Hear(), before);
}

// P2: whatever locks the other threads hold at that moment.
TEST_F(ForkTest, ManyForksAmidTraffic) {
#if defined(ABSL_HAVE_THREAD_SANITIZER) || defined(ABSL_HAVE_ADDRESS_SANITIZER)
  GTEST_SKIP() << "SKIPPED: the sanitizer's own locks do not survive a fork among threads";
#endif
  constexpr int kForks = 100;
  Connect();
  std::atomic<int> answers{0};      // Only counted; orders nothing.
  std::atomic<bool> enough{false};  // As is this.
  const auto traffic = [&](Channel channel) {
    for (int i = 0; !enough.load(std::memory_order_relaxed); ++i) {
      const std::string text = absl::StrCat("message ", i);
      ASSERT_EQ(Ask(channel, text), text);
      answers.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::thread threads[] = {std::thread(traffic, session_->TakeChannel(1)),
                           std::thread(traffic, session_->TakeChannel(2)), std::thread([&] {
                             while (!enough.load(std::memory_order_relaxed)) ASSERT_OK(session_->status());
                           })};
  const Deadline deadline(TimeLimit());
  int wrong = 0;
  for (int i = 0; i < kForks; ++i) {
    const int answered = answers.load(std::memory_order_relaxed);
    wrong += InForkedChild([&] {
      const int count = CountWrong(*session_, channel_);
      channel_.Close();
      session_.reset();
      return count;
    });
    while (answers.load(std::memory_order_relaxed) == answered && !deadline.HasPassed()) std::this_thread::yield();
  }
  EXPECT_FALSE(deadline.HasPassed());
  enough.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(Ask(channel_, "hello"), "hello");
}

}  // namespace
}  // namespace ipc::testing
