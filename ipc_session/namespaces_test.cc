// Sessions between namespaces, without /proc, and where the kernel refuses pidfds or memfds.
// needs CAP_SYS_ADMIN

#include "ipc_util/testing/namespaces.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <memory>
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
#include "ipc_session/apps.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/refused_calls.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace ipc::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::Duration kTurn = absl::Milliseconds(5);

// What a child may do without.
const RefusedCall kNoPeerPidFd = {
    .number = SYS_getsockopt, .error = ENOPROTOOPT, .third_argument = SO_PEERPIDFD};  // As before Linux 6.5.
const RefusedCall kDeniedPeerPidFd = {.number = SYS_getsockopt, .error = EPERM, .third_argument = SO_PEERPIDFD};
const RefusedCall kNoPidFdOpen = {.number = SYS_pidfd_open, .error = ENOSYS};
const RefusedCall kDeniedPidFdOpen = {.number = SYS_pidfd_open, .error = EPERM};
const RefusedCall kNoMemfd = {.number = SYS_memfd_create, .error = ENOSYS};

// The surroundings of a child, by name. Said to the parent, and false, where the kernel refuses them.
class Surroundings {
 public:
  bool Enter(const std::string& name) {
    std::string refused;
    if (absl::StartsWith(name, "own pids")) refused = EnterNamespaces(CLONE_NEWPID);
    if (name == "own ipc, net, mounts") {
      refused = EnterNamespaces(CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS);
      if (refused.empty() && mount("tmpfs", "/dev/shm", "tmpfs", 0, nullptr) != 0) refused = "another /dev/shm";
    }
    if (name == "no /proc" || name == "parent hidden") refused = EnterNamespaces(CLONE_NEWNS);
    if (refused.empty() && name == "no /proc") hidden_ = std::make_unique<HiddenProc>();
    if (refused.empty() && name == "parent hidden") {
      hidden_ = std::make_unique<HiddenProc>(absl::StrCat("/proc/", getppid()));
    }
    std::vector<RefusedCall> calls;
    if (absl::EndsWith(name, "old kernel")) calls = {kNoPeerPidFd};
    if (name == "no pidfds") calls = {kNoPeerPidFd, kNoPidFdOpen};
    if (name == "pidfds denied") calls = {kDeniedPeerPidFd, kDeniedPidFdOpen};
    if (name == "no memfds") calls = {kNoMemfd};
    if (refused.empty() && !calls.empty() && !RefuseCalls(calls)) refused = "a seccomp filter";
    if (!refused.empty()) TellParent(absl::StrCat("refused: ", refused));
    return refused.empty();
  }

 private:
  std::unique_ptr<HiddenProc> hidden_;
};

ExecutablePolicy PolicyOf(const std::string& name) {
  return name == "required" ? ExecutablePolicy::kRequired : ExecutablePolicy::kWhenReadable;
}

// Echoes; a message with a descriptor is written into that, too.
absl::Status EchoAndWrite(Channel& channel) {
  std::vector<std::byte> buffer(1024);
  while (true) {
    std::vector<Fd> descriptors;
    const absl::StatusOr<size_t> bytes = channel.Receive(absl::MakeSpan(buffer), &descriptors, TimeLimit());
    if (!bytes.ok()) return bytes.status();
    for (const Fd& descriptor : descriptors) {
      if (write(descriptor.get(), buffer.data(), *bytes) != static_cast<ssize_t>(*bytes)) {
        return absl::InternalError("cannot write into what came");
      }
    }
    const absl::Status sent = channel.Send(absl::MakeConstSpan(buffer).subspan(0, *bytes), {}, TimeLimit());
    if (!sent.ok()) return sent;
  }
}

// Arguments: folder, surroundings, and the policy if the client's executable must be known to be this one. Serves the
// first client that gets in; tells its pid, the lines of the log as they come, and how the session ended.
SLUICE_CHILD_ROLE(server) {
  LogLines log;
  App client = kTestClient;
  const std::string executable = std::filesystem::read_symlink("/proc/self/exe");
  Surroundings surroundings;
  if (!surroundings.Enter(arguments[1])) return 0;
  ServerOptions options = ServerOptionsIn(arguments[0]);
  if (arguments.size() > 2) {
    client.executable = executable;
    options.session.executable_policy = PolicyOf(arguments[2]);
  }
  options.clients = {client};
  absl::StatusOr<Server> server = Server::Listen(kTestServer, options);
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  for (size_t told = 0;;) {
    absl::StatusOr<Session> session = server->Accept(kTurn);
    for (const std::vector<std::string> lines = log.lines(); told < lines.size(); ++told) TellParent(lines[told]);
    if (!session.ok()) continue;
    TellParent(absl::StrCat("client ", session->peer().credentials.pid));
    Channel channel = session->TakeChannel(0);
    EchoAndWrite(channel).IgnoreError();
    TellParent(session->WaitForEnd(TimeLimit()).ToString());
    return 0;
  }
}

// What came through a pipe whose end was sent on `channel`, or why nothing did.
std::string AskThroughAPipe(Channel& channel) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const FdView views[] = {writer};
  const absl::Status sent = channel.Send(std::vector<std::byte>(3, std::byte{'x'}), views, TimeLimit());
  writer.Close();
  std::vector<std::byte> answer(16);
  const absl::StatusOr<size_t> bytes = channel.Receive(absl::MakeSpan(answer), nullptr, TimeLimit());
  char text[16] = "";
  if (!sent.ok() || !bytes.ok() || read(reader.get(), text, sizeof(text)) != 3) return "nothing came";
  return std::string(text, 3);
}

// Arguments: folder, surroundings. Tells the server's pid, what it answers, what comes through a pipe, and how the
// session ended.
SLUICE_CHILD_ROLE(client) {
  Surroundings surroundings;
  if (!surroundings.Enter(arguments[1])) return 0;
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) {
    TellParent(session.status().ToString());
    return 1;
  }
  TellParent(absl::StrCat("server ", session->peer().credentials.pid));
  Channel channel = session->TakeChannel(0);
  TellParent(Ask(channel, "hello"));
  TellParent(AskThroughAPipe(channel));
  TellParent(session->WaitForEnd(TimeLimit()).ToString());
  return 0;
}

// The first line of a child; ends the test as skipped where the kernel refused its surroundings.
#define ASSERT_ENTERED(line) \
  if (absl::StartsWith(line, "refused")) GTEST_SKIP() << "SKIPPED: the kernel " << line

constexpr char kEnded[] = "UNAVAILABLE: the peer's process";

class NamespacesTest : public ::testing::Test {
 protected:
  Child Start(const std::string& role, const std::string& surroundings, const std::string& policy = "") {
    std::vector<std::string> arguments = {folder_.path(), surroundings};
    if (!policy.empty()) arguments.push_back(policy);
    return Child::Start(role, arguments);
  }

  // A session between the two; then one of them is killed, and the other learns of it.
  void ExpectSession(const std::string& servers, const std::string& clients, bool kill_server) {
    Child server = Start("server", servers);
    const std::string listening = server.Hear();
    ASSERT_ENTERED(listening);
    ASSERT_EQ(listening, "listening");
    Child client = Start("client", clients);
    const std::string connected = client.Hear();
    ASSERT_ENTERED(connected);
    EXPECT_THAT(connected, AnyOf(absl::StrCat("server ", server.pid()), "server 0"));
    EXPECT_EQ(client.Hear(), "hello");
    EXPECT_EQ(client.Hear(), "xxx");
    EXPECT_THAT(server.Hear(), AnyOf(absl::StrCat("client ", client.pid()), "client 0"));
    Child& victim = kill_server ? server : client;
    ASSERT_EQ(kill(victim.pid(), SIGKILL), 0);
    EXPECT_THAT(kill_server ? client.Hear() : server.Hear(), StartsWith(kEnded));
  }

  const TempDir folder_;
};

// N1: without a number of its own the client's process is still watched, by pidfd or by its end of the socket.
TEST_F(NamespacesTest, AServerInAPidNamespaceServesAClientOutside) {
  for (const char* const surroundings : {"own pids", "own pids, old kernel"}) {
    SCOPED_TRACE(surroundings);
    Child server = Start("server", surroundings);
    const std::string listening = server.Hear();
    ASSERT_ENTERED(listening);
    ASSERT_EQ(listening, "listening");
    Child client = Start("client", "");
    EXPECT_THAT(client.Hear(), AllOf(StartsWith("server "), Not("server 0")));
    EXPECT_EQ(client.Hear(), "hello");
    EXPECT_EQ(client.Hear(), "xxx");
    EXPECT_EQ(server.Hear(), "client 0");
    client.Kill();
    EXPECT_THAT(server.Hear(), StartsWith(kEnded));
    EXPECT_EQ(server.Wait(), 0);
  }
}

// N1
TEST_F(NamespacesTest, AClientInAPidNamespaceIsServedOutside) {
  for (const char* const surroundings : {"own pids", "own pids, old kernel"}) {
    SCOPED_TRACE(surroundings);
    Child server = Start("server", "");
    ASSERT_EQ(server.Hear(), "listening");
    Child client = Start("client", surroundings);
    const std::string connected = client.Hear();
    ASSERT_ENTERED(connected);
    EXPECT_EQ(connected, "server 0");
    EXPECT_EQ(client.Hear(), "hello");
    EXPECT_EQ(client.Hear(), "xxx");
    server.Kill();
    EXPECT_THAT(client.Hear(), StartsWith(kEnded));
    EXPECT_EQ(client.Wait(), 0);
  }
}

// N1: neither has a number where the other is.
TEST_F(NamespacesTest, TwoPidNamespacesMeet) { ExpectSession("own pids", "own pids", false); }

// N1: the socket has a path, and all else is descriptors.
TEST_F(NamespacesTest, OtherNamespacesMakeNoDifference) {
  ExpectSession("own ipc, net, mounts", "", false);
  ExpectSession("", "own ipc, net, mounts", true);
}

// N1: a peer without a number has no executable that could be looked at.
TEST_F(NamespacesTest, TheExecutableOfAnotherPidNamespaceCannotBeTold) {
  Child server = Start("server", "own pids", "when readable");
  const std::string listening = server.Hear();
  ASSERT_ENTERED(listening);
  Child client = Start("client", "");
  client.Hear();
  EXPECT_EQ(client.Hear(), "hello");
  EXPECT_THAT(server.Hear(),
              HasSubstr("the executable of app cacheCli is not checked: its process is in another pid namespace"));
  server.Kill();

  Child strict = Start("server", "own pids", "required");
  ASSERT_EQ(strict.Hear(), "listening");
  EXPECT_THAT(Start("client", "").Hear(), HasSubstr("refused: the app's executable is not the universe's"));
  EXPECT_THAT(strict.Hear(), HasSubstr("its process is in another pid namespace"));
}

// N2: the peer's folder in /proc is missing, as it is in the /proc of another pid namespace.
TEST_F(NamespacesTest, WithoutThePeersFolderInProcThePolicyDecides) {
  Child server = Start("server", "parent hidden", "when readable");
  const std::string listening = server.Hear();
  ASSERT_ENTERED(listening);
  const std::string missing = absl::StrCat("/proc/", getpid(), "/exe: No such file or directory");
  {
    ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())));
    Channel channel = session.TakeChannel(0);
    EXPECT_EQ(Ask(channel, "hello"), "hello");
    EXPECT_THAT(server.Hear(), AllOf(HasSubstr("the executable of app cacheCli is not checked"), HasSubstr(missing)));
  }
  server.Kill();

  Child strict = Start("server", "parent hidden", "required");
  ASSERT_EQ(strict.Hear(), "listening");
  EXPECT_EQ(ReasonOf(Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())).status()),
            Reason::kWrongExecutable);
  EXPECT_THAT(strict.Hear(), HasSubstr(missing));
}

// N2: regions are opened for reading through /proc; either side says so.
TEST_F(NamespacesTest, WithoutProcEitherSideSaysWhatIsMissing) {
  Child server = Start("server", "no /proc");
  const std::string listening = server.Hear();
  ASSERT_ENTERED(listening);
  ASSERT_EQ(listening, "listening");
  EXPECT_THAT(Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("the server could not open the session")));
  EXPECT_THAT(server.Hear(), HasSubstr("/proc is not mounted"));
  server.Kill();

  Child other = Start("server", "");
  ASSERT_EQ(other.Hear(), "listening");
  EXPECT_THAT(Start("client", "no /proc").Hear(),
              AllOf(StartsWith("FAILED_PRECONDITION"), HasSubstr("/proc is not mounted")));
}

// N2: as before Linux 6.5, where the number is what there is to watch a peer by.
TEST_F(NamespacesTest, WithoutThePeersPidFdTheNumberServes) {
  ExpectSession("old kernel", "old kernel", false);
  ExpectSession("old kernel", "old kernel", true);
}

// N2: no means at all to watch a process: the session goes without, or its login says so.
TEST_F(NamespacesTest, AClientWithoutPidFdsSaysSoOrTheSocketTells) {
  for (const char* const surroundings : {"no pidfds", "pidfds denied"}) {
    SCOPED_TRACE(surroundings);
    Child server = Start("server", "");
    ASSERT_EQ(server.Hear(), "listening");
    Child client = Start("client", surroundings);
    const std::string connected = client.Hear();
    ASSERT_ENTERED(connected);
    if (!absl::StartsWith(connected, "server ")) {
      EXPECT_THAT(connected, HasSubstr(absl::StrCat("process ", server.pid())));
      EXPECT_THAT(connected, HasSubstr("watch"));
      continue;
    }
    EXPECT_EQ(client.Hear(), "hello");
    EXPECT_EQ(client.Hear(), "xxx");
    server.Kill();
    EXPECT_THAT(client.Hear(), StartsWith(kEnded));
  }
}

// N2
TEST_F(NamespacesTest, AServerWithoutPidFdsSaysSoOrTheSocketTells) {
  for (const char* const surroundings : {"no pidfds", "pidfds denied"}) {
    SCOPED_TRACE(surroundings);
    Child server = Start("server", surroundings);
    const std::string listening = server.Hear();
    ASSERT_ENTERED(listening);
    ASSERT_EQ(listening, "listening");
    Child client = Start("client", "");
    const std::string connected = client.Hear();
    const std::string served = server.Hear();
    if (!absl::StartsWith(connected, "server ")) {
      EXPECT_THAT(connected, AnyOf(HasSubstr("UNAVAILABLE"), HasSubstr("FAILED_PRECONDITION")));
      EXPECT_THAT(served, HasSubstr(absl::StrCat("process ", client.pid())));
      EXPECT_THAT(served, HasSubstr("watch"));
      continue;
    }
    EXPECT_EQ(client.Hear(), "hello");
    EXPECT_EQ(client.Hear(), "xxx");
    client.Kill();
    EXPECT_THAT(server.Hear(), StartsWith(kEnded));
  }
}

// N2
TEST_F(NamespacesTest, WithoutMemfdsEitherSideSaysWhatIsMissing) {
  Child server = Start("server", "no memfds");
  const std::string listening = server.Hear();
  ASSERT_ENTERED(listening);
  ASSERT_EQ(listening, "listening");
  EXPECT_THAT(Session::Connect(kTestClient, kTestServer, OptionsIn(folder_.path())),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("the server could not open the session")));
  EXPECT_THAT(server.Hear(), HasSubstr("memfd_create"));
  server.Kill();

  Child other = Start("server", "");
  ASSERT_EQ(other.Hear(), "listening");
  EXPECT_THAT(Start("client", "no memfds").Hear(), AllOf(StartsWith("FAILED_PRECONDITION"), HasSubstr("memfd_create")));
}

SLUICE_CHILD_ROLE(waits) {
  HearParent();
  return 0;
}

// Another process under the number of one that was reaped.
std::optional<Child> StartAs(pid_t pid) {
  if (!SetNextPid(pid)) return std::nullopt;
  Child child = Child::Start("waits");
  return child.pid() == pid ? std::optional<Child>(std::move(child)) : std::nullopt;
}

bool HasPeerPidFd() {
  const auto [socket, other] = MakeSocketPair();
  int number = -1;
  socklen_t bytes = sizeof(number);
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERPIDFD, &number, &bytes) != 0) return errno != ENOPROTOOPT;
  close(number);
  return true;
}

// Argument: folder. A server whose clients die and leave their numbers to others; tells what becomes of a session, and
// of a login whose client is dead before it is looked at.
SLUICE_CHILD_ROLE(among_reused_numbers) {
  LogLines log;
  Surroundings surroundings;
  if (!surroundings.Enter("own pids")) return 0;
  ServerOptions options = ServerOptionsIn(arguments[0]);
  App app = kTestClient;
  const std::string executable = std::filesystem::read_symlink("/proc/self/exe");
  app.executable = executable;
  options.clients = {app};
  options.session.executable_policy = ExecutablePolicy::kRequired;
  absl::StatusOr<Server> server = Server::Listen(kTestServer, options);
  if (!server.ok()) return 1;

  Child client = Child::Start("client", {arguments[0], ""});
  absl::StatusOr<Session> session = server->Accept(TimeLimit());
  if (!session.ok()) return 2;
  const pid_t number = client.pid();
  client.Kill();
  const std::optional<Child> successor = StartAs(number);
  if (!successor.has_value()) {
    TellParent("refused: the choice of a number, ns_last_pid");
    return 0;
  }
  TellParent(session->WaitForEnd(TimeLimit()).ToString());

  if (!HasPeerPidFd()) {
    TellParent("refused: SO_PEERPIDFD, which needs Linux 6.5");
    return 0;
  }
  Child late = Child::Start("client", {arguments[0], ""},
                            {.environment = {OsEnvironment({KillAt("session.hello.sent")})}, .inherited = {}});
  const pid_t late_number = late.pid();
  if (late.Wait() != -SIGKILL) return 3;
  const std::optional<Child> late_successor = StartAs(late_number);
  if (!late_successor.has_value()) return 4;
  const Deadline deadline(TimeLimit());
  while (log.lines().empty() && !deadline.HasPassed()) {
    if (server->Accept(kTurn).ok()) return 5;
  }
  TellParent(log.lines().empty() ? "nothing" : log.lines()[0]);
  return 0;
}

// S2: the process that has the number now runs the right program, and is still not the peer.
TEST_F(NamespacesTest, AReusedNumberIsNotTakenForThePeer) {
  Child server = Child::Start("among_reused_numbers", {folder_.path()});
  const std::string ended = server.Hear();
  ASSERT_ENTERED(ended);
  EXPECT_THAT(ended, StartsWith(kEnded));
  const std::string refused = server.Hear();
  ASSERT_ENTERED(refused);
  EXPECT_THAT(refused, AnyOf(HasSubstr("the peer has ended"), HasSubstr("watch the peer")));
  EXPECT_EQ(server.Wait(), 0);
}

}  // namespace
}  // namespace ipc::testing
