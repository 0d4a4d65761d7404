// The program itself, run as a child beside real servers.
// needs several uids

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/apps.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/permissions.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/user.h"

namespace ipcctl {
namespace {

using ::ipc::testing::Child;
using ::ipc::testing::HearParent;
using ::ipc::testing::TellParent;
using ::ipc::testing::TempDir;
using ::ipc::testing::TimeLimit;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr ipc::App kClient{.name = "cacheCli"};
constexpr absl::string_view kMayConnect[] = {"cacheCli"};
constexpr ipc::ServerApp kServer{.app = {.name = "cacheSrv"}, .allowed_clients = kMayConnect};

struct End {
  int exit_code = -1;
  std::string output;
  std::string errors;
};

// Runs `program`; what it writes to standard error goes through a file in `folder`.
End RunProgram(const std::string& program, absl::string_view arguments, const std::string& folder) {
  End end;
  const std::string errors = absl::StrCat(folder, "/errors");
  FILE* const running = popen(absl::StrCat(program, " ", arguments, " 2>", errors).c_str(), "r");
  if (running == nullptr) return end;
  char buffer[4096];
  while (const size_t bytes = std::fread(buffer, 1, sizeof(buffer), running)) end.output.append(buffer, bytes);
  const int status = pclose(running);
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  std::ostringstream text;
  text << std::ifstream(errors).rdbuf();
  end.errors = text.str();
  return end;
}

std::string Program() { return std::filesystem::absolute(std::getenv("IPCCTL")); }

// A server that is slow to answer must not fail a test.
std::string PatientlyIn(const std::string& run_folder) {
  return absl::StrCat("--timeout=", absl::ToInt64Seconds(TimeLimit()), " --run_folder=", run_folder);
}

// Whether `text` is one JSON value; takes it off the front.
bool TakeJson(absl::string_view* text) {
  const auto take = [&](absl::string_view token) {
    if (text->substr(0, token.size()) != token) return false;
    text->remove_prefix(token.size());
    return true;
  };
  const auto take_string = [&] {
    if (!take("\"")) return false;
    while (!text->empty() && text->front() != '"') text->remove_prefix(take("\\") ? 2 : 1);
    return take("\"");
  };
  const auto take_list = [&](absl::string_view end, auto take_element) {
    if (take(end)) return true;
    do {
      if (!take_element()) return false;
    } while (take(","));
    return take(end);
  };
  if (take("{")) return take_list("}", [&] { return take_string() && take(":") && TakeJson(text); });
  if (take("[")) return take_list("]", [&] { return TakeJson(text); });
  if (take("true") || take("false") || take("null") || take_string()) return true;
  const size_t digits = text->find_first_not_of("-0123456789.");
  if (digits == 0) return false;
  text->remove_prefix(std::min(digits, text->size()));
  return true;
}

bool IsJson(absl::string_view text) { return TakeJson(&text) && text.empty(); }

// Arguments: run folder, "user" or "everyone" for who may connect. Takes two clients in, receives a message of
// the second, and answers whoever asks.
SLUICE_CHILD_ROLE(server) {
  ipc::ServerApp app = kServer;
  if (arguments[1] == "everyone") app.permissions = ipc::Permissions::kEveryone;
  ipc::ServerOptions options = {.clients = {kClient}};
  options.session.run_folder = arguments[0];
  absl::StatusOr<ipc::Server> server = ipc::Server::Listen(app, options);
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  const absl::StatusOr<ipc::Session> idle = server->Accept(TimeLimit());
  absl::StatusOr<ipc::Session> used = server->Accept(TimeLimit());
  if (!idle.ok() || !used.ok()) return 1;
  ipc::Channel channel = used->TakeChannel(0);
  std::vector<std::byte> message(100);
  if (!channel.Receive(absl::MakeSpan(message), nullptr, TimeLimit()).ok()) return 1;
  TellParent("received");
  server->Accept(ipc::Deadline::Never()).IgnoreError();
  return 0;
}

// Arguments: the program, its arguments, a folder. Runs it as another user.
SLUICE_CHILD_ROLE(other_user) {
  ipc::testing::BecomeUser(ipc::testing::kOtherUid, ipc::testing::kOtherGid);
  const End end = RunProgram(arguments[0], arguments[1], arguments[2]);
  TellParent(absl::StrCat(end.exit_code, " ", end.errors.substr(0, end.errors.find('\n'))));
  return 0;
}

// Arguments: the socket's path, and whether it says something.
SLUICE_CHILD_ROLE(hostile) {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  if (arguments[0].size() >= sizeof(address.sun_path)) return 1;
  std::copy(arguments[0].begin(), arguments[0].end(), address.sun_path);
  const ipc::Fd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return 1;
  if (listen(listener.get(), 1) != 0) return 1;
  TellParent("listening");
  const ipc::Fd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const absl::string_view garbage = "\033[2Jgarbage";
  if (arguments[1] == "garbage") send(client.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
  HearParent();
  return 0;
}

class IpcctlTest : public ::testing::Test {
 protected:
  // A server with two sessions, the second with a message of 100 bytes received.
  void StartServer(const std::string& permissions) {
    server_.emplace(Child::Start("server", {run_folder_, permissions}));
    ASSERT_EQ(server_->Hear(), "listening");
    ipc::SessionOptions options = {.channels = 2};
    options.run_folder = run_folder_;
    for (int i = 0; i < 2; ++i) {
      ASSERT_OK_AND_ASSIGN(ipc::Session session, ipc::Session::Connect(kClient, kServer, options));
      sessions_.push_back(std::move(session));
    }
    channel_ = sessions_[1].TakeChannel(0);
    ASSERT_OK(channel_.Send(std::vector<std::byte>(100), {}, TimeLimit()));
    ASSERT_EQ(server_->Hear(), "received");
  }

  TempDir folder_;
  const std::string run_folder_ = absl::StrCat(folder_.path(), "/run");
  std::optional<Child> server_;
  std::vector<ipc::Session> sessions_;
  ipc::Channel channel_;
};

TEST_F(IpcctlTest, PrintsATableOfALiveServer) {
  StartServer("user");
  const End end = RunProgram(Program(), PatientlyIn(run_folder_), folder_.path());
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_THAT(end.errors, IsEmpty());
  const std::vector<std::string> lines = absl::StrSplit(end.output, '\n');
  ASSERT_EQ(lines.size(), 10) << end.output;  // With the empty one behind the last line feed.
  EXPECT_EQ(lines[0], absl::StrCat("cacheSrv: pid ", server_->pid(), ", uid ", geteuid(), ", heap memory, 2 sessions, ",
                                   run_folder_, "/cacheSrv.sock"));
  for (const int i : {1, 5}) {
    EXPECT_THAT(lines[i], StartsWith(absl::StrCat("  cacheCli: pid ", getpid(), ", uid ", geteuid(), ", since 20")));
    EXPECT_THAT(lines[i], HasSubstr(", 2 channels"));
    EXPECT_THAT(lines[i + 1], ContainsRegex("channel +pipe +sent +bytes +full +unread bytes +received +bytes +empty"));
  }
  EXPECT_THAT(lines[3], ContainsRegex("^ +0  ring +0 +0 +0 +0 +0 +0 +0$"));
  EXPECT_THAT(lines[7], ContainsRegex("^ +0  ring +0 +0 +0 +0 +1 +100 +[0-9]+$"));
  // All lines of a table are as long as each other.
  for (const int first : {2, 6}) {
    EXPECT_EQ(lines[first].size(), lines[first + 1].size());
    EXPECT_EQ(lines[first].size(), lines[first + 2].size());
  }
}

TEST_F(IpcctlTest, PrintsJson) {
  StartServer("user");
  const End end = RunProgram(Program(), absl::StrCat("--json ", PatientlyIn(run_folder_)), folder_.path());
  EXPECT_EQ(end.exit_code, 0);
  ASSERT_THAT(end.output, ::testing::EndsWith("\n"));
  EXPECT_TRUE(IsJson(end.output.substr(0, end.output.size() - 1))) << end.output;
  EXPECT_THAT(end.output,
              AllOf(HasSubstr("\"app\":\"cacheSrv\""), HasSubstr(absl::StrCat("\"pid\":", server_->pid())),
                    HasSubstr("\"memory\":\"heap\",\"session_count\":2"), HasSubstr("\"arena\":null"),
                    HasSubstr("\"received\":{\"messages\":1,\"bytes\":100,"), HasSubstr("\"problems\":[]")));
}

TEST_F(IpcctlTest, WatchesWithRates) {
  StartServer("user");
  const End end =
      RunProgram(Program(), absl::StrCat("--json --watch=0.01 --rounds=3 ", PatientlyIn(run_folder_)), folder_.path());
  EXPECT_EQ(end.exit_code, 0);
  const std::vector<std::string> lines = absl::StrSplit(end.output, '\n');
  ASSERT_EQ(lines.size(), 4) << end.output;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(IsJson(lines[i])) << lines[i];
  EXPECT_THAT(lines[0], Not(HasSubstr("per_second")));
  EXPECT_THAT(lines[2], HasSubstr("\"messages_per_second\":0.0,\"bytes_per_second\":0.0"));

  const End table =
      RunProgram(Program(), absl::StrCat("--watch=0.01 --rounds=2 ", PatientlyIn(run_folder_)), folder_.path());
  EXPECT_EQ(table.exit_code, 0);
  EXPECT_THAT(table.output, ContainsRegex("empty +sent/s +bytes/s +received/s +bytes/s\n"));
}

TEST_F(IpcctlTest, SaysThatThereIsNoServer) {
  const End missing = RunProgram(Program(), PatientlyIn(run_folder_), folder_.path());
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_EQ(missing.errors, "ipcctl: there is no live server\n");
  EXPECT_THAT(missing.output, IsEmpty());
}

TEST_F(IpcctlTest, LeavesOutADeadServer) {  // K9
  StartServer("user");
  server_->Kill();
  EXPECT_TRUE(std::filesystem::exists(absl::StrCat(run_folder_, "/cacheSrv.sock")));
  const End end = RunProgram(Program(), PatientlyIn(run_folder_), folder_.path());
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_EQ(end.errors, "ipcctl: there is no live server\n");
}

TEST_F(IpcctlTest, SaysThatAServerDoesNotAnswer) {
  StartServer("user");
  server_->Stop();
  const End end = RunProgram(Program(), absl::StrCat("--timeout=0.05 --run_folder=", run_folder_), folder_.path());
  EXPECT_EQ(end.exit_code, 4);
  EXPECT_EQ(end.errors,
            absl::StrCat("ipcctl: ", run_folder_, "/cacheSrv.sock: does not answer: its program is not in Accept\n"));
}

TEST_F(IpcctlTest, SurvivesAHostileServer) {  // V1
  const std::string path = absl::StrCat(folder_.path(), "/cacheSrv.sock");
  for (const std::string what : {"garbage", "nothing"}) {
    std::filesystem::remove(path);
    Child hostile = Child::Start("hostile", {path, what});
    ASSERT_EQ(hostile.Hear(), "listening");
    const std::string timeout =
        what == "nothing" ? "--timeout=0.05 --run_folder=" + folder_.path() : PatientlyIn(folder_.path());
    const End end = RunProgram(Program(), timeout, folder_.path());
    EXPECT_EQ(end.exit_code, 4) << what;
    EXPECT_THAT(end.errors, HasSubstr(what == "garbage" ? "does not speak the session protocol" : "does not answer"));
    EXPECT_THAT(end.errors, Not(HasSubstr("\033")));
    EXPECT_THAT(end.output, IsEmpty());
  }
}

TEST_F(IpcctlTest, RefusesBadArguments) {
  for (const char* const arguments : {"everything", "--watch=-1", "--timeout=nan", "--watch=1e9"}) {
    const End end = RunProgram(Program(), arguments, folder_.path());
    EXPECT_EQ(end.exit_code, 2) << arguments;
    EXPECT_THAT(end.errors, HasSubstr("takes flags only")) << arguments;
  }
}

TEST_F(IpcctlTest, WhoMayNotConnectMayNotAsk) {  // P1
  if (!ipc::testing::CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  // The other user reaches neither the folder of this program nor, with `user`, that of the sockets.
  const std::string program = absl::StrCat(folder_.path(), "/ipcctl");
  const std::string writable = absl::StrCat(folder_.path(), "/writable");
  std::filesystem::copy_file(Program(), program);
  ASSERT_EQ(chmod(program.c_str(), 0755), 0);
  ASSERT_EQ(mkdir(writable.c_str(), 0777), 0);
  ASSERT_EQ(chmod(writable.c_str(), 0777), 0);
  StartServer("user");
  const auto ask = [&] { return Child::Start("other_user", {program, PatientlyIn(run_folder_), writable}).Hear(); };
  EXPECT_THAT(ask(),
              AllOf(StartsWith("3 ipcctl: "), HasSubstr("this user may not ask it"), HasSubstr("ermission denied")));
  // The socket's own mode counts where the folder is open.
  ASSERT_EQ(chmod(run_folder_.c_str(), 0755), 0);
  EXPECT_THAT(ask(), AllOf(StartsWith("3 ipcctl: "), HasSubstr("cacheSrv.sock: this user may not ask it")));
  ASSERT_EQ(chmod(absl::StrCat(run_folder_, "/cacheSrv.sock").c_str(), 0666), 0);
  EXPECT_EQ(ask(), "0 ");
}

}  // namespace
}  // namespace ipcctl
