// Sessions amid signals, without their names, and out of descriptors.

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/signal_storm.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr absl::Duration kTurn = absl::Milliseconds(5);

// How each signal is handled, and what is blocked.
std::map<int, std::pair<uintptr_t, int>> SignalHandling() {
  std::map<int, std::pair<uintptr_t, int>> handling;
  for (int number = 1; number <= SIGRTMAX; ++number) {
    struct sigaction action;
    if (sigaction(number, nullptr, &action) != 0) continue;
    handling[number] = {reinterpret_cast<uintptr_t>(action.sa_handler), action.sa_flags};
  }
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  for (int number = 1; number <= SIGRTMAX; ++number) handling[-number].second = sigismember(&blocked, number);
  return handling;
}

// Serves one client after the other until it is killed. Arguments: the run folder, and "storm" for signals meanwhile.
SLUICE_CHILD_ROLE(server) {
  std::optional<SignalStorm> storm;
  if (arguments.size() > 1) storm.emplace();
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  while (true) {
    absl::StatusOr<Session> session = server->Accept(Deadline::Never());
    if (!session.ok()) return 2;
    Channel channel = session->TakeChannel(0);
    if (storm.has_value()) channel.set_wait_mode(WaitMode::kSleep);
    Echo(channel).IgnoreError();
  }
}

absl::Status SendText(Channel& channel, const std::string& text) {
  return channel.Send(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size()), {},
                      TimeLimit());
}

// Sends numbers, ten at a time, until enough signals came; OK: each came back, in its order.
absl::Status ExchangeAmid(const SignalStorm& storm, Channel& channel) {
  channel.set_wait_mode(WaitMode::kSleep);
  std::vector<std::byte> buffer(64);
  int sent = 0;
  int received = 0;
  while (received < 1000 || storm.signals() < 20) {
    for (int i = 0; i < 10; ++i) {
      const absl::Status status = SendText(channel, absl::StrCat(sent++));
      if (!status.ok()) return status;
    }
    while (received < sent) {
      const absl::StatusOr<size_t> bytes = channel.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit());
      if (!bytes.ok()) return bytes.status();
      const std::string text(reinterpret_cast<const char*>(buffer.data()), *bytes);
      if (text != absl::StrCat(received++)) return absl::DataLossError(absl::StrCat(text, " came out of turn"));
    }
  }
  return absl::OkStatus();
}

// Argument: the run folder.
SLUICE_CHILD_ROLE(stormed_client) {
  const SignalStorm storm;
  const auto exchange = [&]() -> absl::Status {
    absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
    if (!session.ok()) return session.status();
    Channel channel = session->TakeChannel(0);
    const absl::Status exchanged = ExchangeAmid(storm, channel);
    return exchanged.ok() ? session->status() : exchanged;
  };
  TellParent(exchange().ToString());
  return 0;
}

// P3, F27: login, traffic and end, in both processes.
TEST(InterruptionsTest, AStormOfSignalsLosesNothing) {
  const TempDir folder;
  Child server = Child::Start("server", {folder.path(), "storm"});
  ASSERT_EQ(server.Hear(), "listening");
  for (int i = 0; i < 3; ++i) {
    Child client = Child::Start("stormed_client", {folder.path()});
    EXPECT_EQ(client.Hear(), "OK");
    EXPECT_EQ(client.Wait(), 0);
  }
}

// Logs in and asks; writes to its server once that was killed; tells how its signals are handled. Arguments: the run
// folder, and "blocked" for no signals at all.
SLUICE_CHILD_ROLE(client_of_the_dead) {
  signal(SIGPIPE, SIG_DFL);
  sigset_t all;
  sigfillset(&all);
  if (arguments.size() > 1) pthread_sigmask(SIG_BLOCK, &all, nullptr);
  const auto before = SignalHandling();
  {
    absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
    if (!session.ok()) return 1;
    Channel channel = session->TakeChannel(0);
    TellParent(Ask(channel, "hello"));
    HearParent();
    absl::Status sent;
    const Deadline deadline(TimeLimit());
    while (sent.ok() && !deadline.HasPassed()) sent = SendText(channel, "hello?");
    TellParent(sent.ToString());
    TellParent(session->WaitForEnd(TimeLimit()).ToString());
  }
  TellParent(SignalHandling() == before ? "as before" : "changed");
  return 0;
}

class SignalsTest : public ::testing::Test {
 protected:
  void ExpectSurvives(const std::vector<std::string>& more) {
    Child server = Child::Start("server", {folder_.path()});
    ASSERT_EQ(server.Hear(), "listening");
    std::vector<std::string> arguments = {folder_.path()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Child client = Child::Start("client_of_the_dead", arguments);
    EXPECT_EQ(client.Hear(), "hello");
    server.Kill();
    client.Tell("go");
    EXPECT_THAT(client.Hear(), StartsWith("UNAVAILABLE"));
    EXPECT_THAT(client.Hear(), StartsWith("UNAVAILABLE"));
    EXPECT_EQ(client.Hear(), "as before");
    EXPECT_EQ(client.Wait(), 0);
  }

  const TempDir folder_;
};

// P3, F21
TEST_F(SignalsTest, ADeadPeerIsAnErrorAndNoSigpipe) { ExpectSurvives({}); }

// P3
TEST_F(SignalsTest, BlockedSignalsMakeNoDifference) { ExpectSurvives({"blocked"}); }

// Sends back what comes until its server has gone. Argument: the run folder.
SLUICE_CHILD_ROLE(echoing_client) {
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) return 1;
  Channel channel = session->TakeChannel(0);
  return ReasonOf(Echo(channel)) == Reason::kGoodbye ? 0 : 2;
}

// S4: as a cleaner of /tmp does it.
TEST(NamesTest, ASessionNeedsNoNamesAnyMore) {
  const LogLines log;
  const TempDir folder;
  const std::string run_folder = absl::StrCat(folder.path(), "/run");
  const World before = World::Now();
  {
    ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, ServerOptionsIn(run_folder)));
    Child client = Child::Start("echoing_client", {run_folder});
    {
      ASSERT_OK_AND_ASSIGN(Session session, server.Accept(TimeLimit()));
      Channel channel = session.TakeChannel(0);
      EXPECT_EQ(Ask(channel, "hello"), "hello");
      ASSERT_EQ(std::filesystem::remove_all(run_folder), 3u);  // The folder, the socket and the lock.
      EXPECT_EQ(Ask(channel, "hello again"), "hello again");
      EXPECT_OK(session.status());
      EXPECT_EQ(ReasonOf(Session::Connect(kTestClient, kTestServer, OptionsIn(run_folder)).status()),
                Reason::kNoServer);
    }
    EXPECT_EQ(client.Wait(), 0);
  }
  EXPECT_FALSE(std::filesystem::exists(run_folder));
  EXPECT_THAT(log.lines(), IsEmpty());
  EXPECT_EQ(World::Now(), before);
}

// The calls that make a descriptor.
constexpr const char* kMakers[] = {"Socket", "SocketPair",  "Accept",  "GetSockOpt", "PidFdOpen", "MemfdCreate",
                                   "Open",   "EpollCreate", "TimerFd", "EventFd",    "MqOpen"};

std::string AskServer(const std::string& folder) {
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(folder));
  if (!session.ok()) return session.status().ToString();
  Channel channel = session->TakeChannel(0);
  return Ask(channel, "hello");
}

// Tells what a server answers. Argument: the run folder.
SLUICE_CHILD_ROLE(client) {
  HearParent();
  TellParent(AskServer(arguments[0]));
  return 0;
}

// R2: the client is out of descriptors at each call in turn.
TEST(DescriptorsTest, AClientsLoginSurvivesEachFailingCall) {
  const TempDir folder;
  Child server = Child::Start("server", {folder.path()});
  ASSERT_EQ(server.Hear(), "listening");
  ASSERT_EQ(AskServer(folder.path()), "hello");
  const World before = World::Now();
  int failures = 0;
  for (const char* const function : kMakers) {
    for (int nth = 1;; ++nth) {
      SCOPED_TRACE(absl::StrCat(function, " ", nth));
      ASSERT_LT(nth, 50);
      std::string heard;
      bool met = false;
      {
        const OsTesting os({FailCall(function, EMFILE, {.first = nth})});
        heard = AskServer(folder.path());
        met = os.interventions() > 0;
      }
      EXPECT_EQ(World::Now(), before);
      if (!met) {
        EXPECT_EQ(heard, "hello");
        break;
      }
      ++failures;
      EXPECT_THAT(heard, StartsWith("RESOURCE_EXHAUSTED"));
      EXPECT_THAT(heard, HasSubstr("RLIMIT_NOFILE"));
      EXPECT_EQ(AskServer(folder.path()), "hello");
    }
  }
  EXPECT_GE(failures, 4);
}

// A server in this process, driven by hand.
class ShortOfDescriptorsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(server_); }

  Child StartClient() {
    Child client = Child::Start("client", {folder_.path()});
    client.Tell("go");
    return client;
  }

  // Takes clients in until `client` has ended, meanwhile with `instructions`; how often these met a call is added to
  // `*met`. Returns what the client was told.
  std::string Serve(Child& client, const std::vector<OsInstruction>& instructions = {}, int* met = nullptr) {
    const absl::StatusOr<PidFd> process = PidFd::Open(client.pid());
    if (!process.ok()) return process.status().ToString();
    const OsTesting os(instructions);
    while (!process->HasEnded()) {
      absl::StatusOr<Session> session = server_->Accept(kTurn);
      if (!session.ok()) continue;
      Channel channel = session->TakeChannel(0);
      Echo(channel).IgnoreError();
    }
    if (met != nullptr) *met += os.interventions();
    const std::string heard = client.Hear();
    client.Wait();
    return heard;
  }
  std::string ServeFreshClient() {
    Child client = StartClient();
    return Serve(client);
  }

  LogLines log_;
  const TempDir folder_;
  absl::StatusOr<Server> server_ = Server::Listen(kTestServer, ServerOptionsIn(folder_.path()));
};

// R2: the server is.
TEST_F(ShortOfDescriptorsTest, AServersLoginSurvivesEachFailingCall) {
  ASSERT_EQ(ServeFreshClient(), "hello");
  const World before = World::Now();
  int failures = 0;
  for (const char* const function : kMakers) {
    for (int nth = 1;; ++nth) {
      SCOPED_TRACE(absl::StrCat(function, " ", nth));
      ASSERT_LT(nth, 50);
      const size_t lines = log_.lines().size();
      std::string heard;
      int met = 0;
      {
        Child client = StartClient();
        heard = Serve(client, {FailCall(function, EMFILE, {.first = nth})}, &met);
      }
      EXPECT_EQ(World::Now(), before);
      if (met == 0) {
        EXPECT_EQ(heard, "hello");
        break;
      }
      ++failures;
      // A client that could not be accepted waits until it can; one whose login broke off is told, or sees the end.
      EXPECT_THAT(heard, AnyOf("hello", HasSubstr("the server is at a limit"), StartsWith("UNAVAILABLE")));
      if (heard != "hello") {
        ASSERT_GT(log_.lines().size(), lines);
        EXPECT_THAT(log_.lines()[lines], HasSubstr("RLIMIT_NOFILE"));
      }
      EXPECT_EQ(ServeFreshClient(), "hello");
    }
  }
  EXPECT_GE(failures, 4);
}

// No number from the lowest free one plus `more` on, as long as it lives.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(int more) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const Fd lowest_free(dup(0));
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(lowest_free.get() + more);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

constexpr int kEnough = 50;

// R2: the kernel's own word, for descriptors that come by message too.
TEST(DescriptorsTest, AClientNeedsOnlyAFew) {
  const TempDir folder;
  Child server = Child::Start("server", {folder.path()});
  ASSERT_EQ(server.Hear(), "listening");
  ASSERT_EQ(AskServer(folder.path()), "hello");
  const World before = World::Now();
  std::string heard;
  for (int more = 0; heard != "hello"; ++more) {
    SCOPED_TRACE(more);
    ASSERT_LT(more, kEnough);
    {
      const DescriptorLimit limit(more);
      heard = AskServer(folder.path());
    }
    EXPECT_EQ(World::Now(), before);
    EXPECT_THAT(heard, AnyOf("hello", StartsWith("RESOURCE_EXHAUSTED")));
    EXPECT_EQ(AskServer(folder.path()), "hello");
  }
}

// R2, F10, F19: whatever a server is short of costs the one client, or makes it wait.
TEST_F(ShortOfDescriptorsTest, AServerNeedsOnlyAFew) {
  ASSERT_EQ(ServeFreshClient(), "hello");
  const World before = World::Now();
  bool served = false;
  int told = 0;
  for (int more = 0; !served; ++more) {
    SCOPED_TRACE(more);
    ASSERT_LT(more, kEnough);
    const size_t lines = log_.lines().size();
    {
      Child client = StartClient();
      const Deadline deadline(TimeLimit());
      {
        const DescriptorLimit limit(more);
        while (!served && log_.lines().size() == lines && !deadline.HasPassed()) {
          absl::StatusOr<Session> session = server_->Accept(kTurn);
          if (!session.ok()) continue;
          served = true;
          Channel channel = session->TakeChannel(0);
          Echo(channel).IgnoreError();
        }
      }
      if (!served) {
        ASSERT_GT(log_.lines().size(), lines);
        EXPECT_THAT(log_.lines()[lines], HasSubstr("RLIMIT_NOFILE"));
      }
      // A client that could not be accepted waits until it can; a login that broke off is told, or ends.
      const std::string heard = Serve(client);
      EXPECT_THAT(heard, AnyOf("hello", HasSubstr("the server is at a limit"), StartsWith("UNAVAILABLE")));
      EXPECT_TRUE(!served || heard == "hello") << heard;
      told += absl::StrContains(heard, "the server is at a limit");
    }
    EXPECT_EQ(World::Now(), before);
    EXPECT_EQ(ServeFreshClient(), "hello");
  }
  EXPECT_GT(told, 0);
}

}  // namespace
}  // namespace ipc::testing
