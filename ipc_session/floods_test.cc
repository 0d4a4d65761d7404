// B5: many clients at once, those that want nothing and those that do.

#include <sys/resource.h>
#include <sys/socket.h>

#include <latch>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/scripted_login.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::ConnectToListener;

// As many as the system lets it have.
void RaiseDescriptorLimit() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

SessionOptions SmallIn(const std::string& folder) {
  SessionOptions options = OptionsIn(folder);
  options.ring_bytes = 4096;
  return options;
}

// Serves each client in a thread of its own.
class ThreadedServer {
 public:
  explicit ThreadedServer(Server server) : server_(std::move(server)) {}

  // Until the program ends.
  void AcceptAll() {
    while (true) {
      absl::StatusOr<Session> session = server_.Accept(Deadline::Never());
      if (!session.ok()) return;
      ipc::internal::MutexLock lock(mutex_);
      threads_.emplace_back([owned = *std::move(session)]() mutable {
        Channel channel = owned.TakeChannel(0);
        Echo(channel).IgnoreError();
      });
    }
  }

  // Waits until all clients so far have gone.
  void Join() {
    std::vector<std::thread> threads;
    {
      ipc::internal::MutexLock lock(mutex_);
      threads.swap(threads_);
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  Server server_;
  ipc::internal::Mutex mutex_;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return absl::ToDoubleSeconds(absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime));
}

// Arguments: the run folder, and milliseconds for a login. Told "cpu", it tells the seconds that it has run; "compare":
// whether it holds what it held at first, once all clients have gone.
SLUICE_CHILD_ROLE(server) {
  const LogLines quiet;
  RaiseDescriptorLimit();
  ServerOptions options = ServerOptionsIn(arguments[0]);
  options.session.ring_bytes = 4096;
  int milliseconds = 0;
  if (arguments.size() > 1 && absl::SimpleAtoi(arguments[1], &milliseconds)) {
    options.login_timeout = absl::Milliseconds(milliseconds);
  }
  absl::StatusOr<Server> listening = Server::Listen(kTestServer, options);
  if (!listening.ok()) return 1;
  auto* const server = new ThreadedServer(*std::move(listening));  // Its thread lives as long as the program.
  std::thread([server] { server->AcceptAll(); }).detach();
  const World before = World::Now();
  TellParent("listening");
  while (true) {
    const std::string command = HearParent();
    if (command == "cpu") TellParent(absl::StrCat(CpuSeconds()));
    if (command == "compare") {
      server->Join();
      const World now = World::Awaited(before);
      std::ostringstream difference;
      difference << "was: " << before << "\nis: " << now;
      TellParent(now == before ? "as before" : difference.str().substr(0, 4000));
    }
  }
}

// Half-open clients. Arguments: the run folder, how many, and what each says: nothing, one byte, or half of a hello.
// Tells when all are connected, and when the server has turned all away.
SLUICE_CHILD_ROLE(half_open_clients) {
  RaiseDescriptorLimit();
  int count = 0;
  if (!absl::SimpleAtoi(arguments[1], &count)) return 1;
  const std::string hello = HelloOf(ScriptedTerms());
  std::vector<Fd> sockets;
  for (int i = 0; i < count; ++i) {
    absl::StatusOr<Fd> socket = ConnectToListener(absl::StrCat(arguments[0], "/cacheSrv.sock"), TimeLimit());
    if (!socket.ok()) return 2;
    sockets.push_back(*std::move(socket));
    if (arguments[2] == "byte") SendPacketOf(sockets.back(), "h");
    if (arguments[2] == "half") SendPacketOf(sockets.back(), hello.substr(0, hello.size() / 2));
  }
  TellParent("connected");
  for (const Fd& socket : sockets) {
    // At most a refusal, and then the end.
    while (ipc::internal::ReceiveFrame(socket, PidFd(), TimeLimit()).ok()) {
    }
  }
  TellParent("turned away");
  HearParent();
  return 0;
}

// Logs in, again where the rush was too great, and asks; "" where that did not go well within the time limit.
std::optional<Session> LogIn(const std::string& folder) {
  const Deadline deadline(TimeLimit());
  while (!deadline.HasPassed()) {
    absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, SmallIn(folder));
    if (session.ok()) return *std::move(session);
  }
  return std::nullopt;
}

// Arguments: the run folder, and how many clients it is. Tells when all were served, and stays until told otherwise.
SLUICE_CHILD_ROLE(good_clients) {
  RaiseDescriptorLimit();
  int count = 0;
  if (!absl::SimpleAtoi(arguments[1], &count)) return 1;
  std::latch served(count);
  std::latch leave(1);
  std::vector<std::string> answers(count);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      std::optional<Session> session = LogIn(arguments[0]);
      Channel channel = session.has_value() ? session->TakeChannel(0) : Channel();
      if (session.has_value()) answers[i] = Ask(channel, "hello");
      served.count_down();
      leave.wait();
      if (session.has_value()) answers[i] += Ask(channel, " again");
    });
  }
  served.wait();
  TellParent("served");
  HearParent();
  leave.count_down();
  for (std::thread& thread : threads) thread.join();
  int good = 0;
  for (const std::string& answer : answers) good += answer == "hello again";
  TellParent(absl::StrCat(good));
  return 0;
}

class FloodsTest : public ::testing::Test {
 protected:
  void StartServer(const std::string& login_milliseconds = "") {
    std::vector<std::string> arguments = {folder_.path()};
    if (!login_milliseconds.empty()) arguments.push_back(login_milliseconds);
    server_.emplace(Child::Start("server", arguments));
    ASSERT_EQ(server_->Hear(), "listening");
  }

  void ExpectServes() {
    std::optional<Session> session = LogIn(folder_.path());
    ASSERT_TRUE(session.has_value());
    Channel channel = session->TakeChannel(0);
    EXPECT_EQ(Ask(channel, "hello"), "hello");
  }

  void ExpectAsBefore() {
    server_->Tell("compare");
    EXPECT_EQ(server_->Hear(), "as before");
  }

  double ServersCpuSeconds() {
    server_->Tell("cpu");
    double seconds = 0;
    EXPECT_TRUE(absl::SimpleAtod(server_->Hear(), &seconds));
    return seconds;
  }

  const TempDir folder_;
  std::optional<Child> server_;
};

// B5, F18: a server whose places are all taken, with a queue behind them, sleeps; one that spun would run as long as
// the clients are there, which is some seconds.
TEST_F(FloodsTest, HalfOpenClientsKeepNobodyOutAndCostLittle) {
  StartServer("500");
  const double before = ServersCpuSeconds();
  Child silent = Child::Start("half_open_clients", {folder_.path(), "200", "silent"});
  Child bytes = Child::Start("half_open_clients", {folder_.path(), "100", "byte"});
  Child halves = Child::Start("half_open_clients", {folder_.path(), "100", "half"});
  for (Child* const flood : {&silent, &bytes, &halves}) ASSERT_EQ(flood->Hear(), "connected");
  for (int i = 0; i < 3; ++i) ExpectServes();
  for (Child* const flood : {&silent, &bytes, &halves}) EXPECT_EQ(flood->Hear(), "turned away");
  EXPECT_LT(ServersCpuSeconds() - before, 1.0 * kSlowness);
  ExpectAsBefore();
  ExpectServes();
}

// B5: the same once more, with clients that are killed instead of turned away.
TEST_F(FloodsTest, HalfOpenClientsThatDieLeaveNothing) {
  StartServer();
  {
    Child silent = Child::Start("half_open_clients", {folder_.path(), "200", "silent"});
    ASSERT_EQ(silent.Hear(), "connected");
  }
  ExpectServes();
  ExpectAsBefore();
}

TEST_F(FloodsTest, TwoHundredClientsAtOnce) {
  constexpr int kProcesses = 4;
  constexpr int kClients = 50;
  StartServer();
  std::vector<Child> clients;
  for (int i = 0; i < kProcesses; ++i) {
    clients.push_back(Child::Start("good_clients", {folder_.path(), absl::StrCat(kClients)}));
  }
  for (Child& client : clients) ASSERT_EQ(client.Hear(), "served");
  ExpectServes();
  for (Child& client : clients) client.Tell("go on");
  for (Child& client : clients) EXPECT_EQ(client.Hear(), absl::StrCat(kClients));
  for (Child& client : clients) EXPECT_EQ(client.Wait(), 0);
  ExpectAsBefore();
  ExpectServes();
}

}  // namespace
}  // namespace ipc::testing
