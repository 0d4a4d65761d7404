// Sessions between several uids and gids: who gets in, who does not, and with what modes.
// needs several uids

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/apps.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/listening_socket.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/universe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/permissions.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/user.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kServerUid = 4001;
constexpr uid_t kClientUid = 4002;
constexpr gid_t kServerGid = 5001;
constexpr gid_t kStrangerGid = 5002;

// The universe of these tests, whoever asks.
App ClientApp() { return {.name = "cacheCli", .uid = kClientUid, .gid = kServerGid}; }
ServerApp ServerAppFor(Permissions permissions) {
  return {.app = {.name = "cacheSrv", .uid = kServerUid, .gid = kServerGid},
          .allowed_clients = kMayConnect,
          .permissions = permissions};
}

void Become(const std::string& uid, const std::string& gid) {
  uid_t uid_number;
  gid_t gid_number;
  if (!absl::SimpleAtoi(uid, &uid_number) || !absl::SimpleAtoi(gid, &gid_number)) std::abort();
  BecomeUser(uid_number, gid_number);
}

Permissions PermissionsOf(const std::string& name) {
  for (const Permissions permissions : {Permissions::kUser, Permissions::kGroup}) {
    if (Name(permissions) == name) return permissions;
  }
  return Permissions::kEveryone;
}

// Arguments: folder, uid, gid, permissions, and "required" if the client's executable must be known to be this one.
// Serves one client after the other until it is killed, and tells each line of its log.
SLUICE_CHILD_ROLE(server) {
  umask(0);
  LogLines log;
  const std::string executable = std::filesystem::read_symlink("/proc/self/exe");
  Become(arguments[1], arguments[2]);
  ServerOptions options = ServerOptionsIn(arguments[0]);
  App client = ClientApp();
  if (arguments.size() > 4) {
    client.executable = executable;
    options.session.executable_policy =
        arguments[4] == "required" ? ExecutablePolicy::kRequired : ExecutablePolicy::kWhenReadable;
  }
  options.clients = {client};
  absl::StatusOr<Server> server = Server::Listen(ServerAppFor(PermissionsOf(arguments[3])), options);
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  for (size_t told = 0;;) {
    absl::StatusOr<Session> session = server->Accept(absl::Milliseconds(20));
    if (session.ok()) {
      Channel channel = session->TakeChannel(0);
      Echo(channel).IgnoreError();
    }
    for (const std::vector<std::string> lines = log.lines(); told < lines.size(); ++told) TellParent(lines[told]);
  }
}

// Arguments: folder, uid, gid.
SLUICE_CHILD_ROLE(client) {
  Become(arguments[1], arguments[2]);
  absl::StatusOr<Session> session =
      Session::Connect(ClientApp(), ServerAppFor(Permissions::kEveryone), OptionsIn(arguments[0]));
  if (!session.ok()) {
    TellParent(session.status().ToString());
    return 1;
  }
  Channel channel = session->TakeChannel(0);
  TellParent(Ask(channel, "hello"));
  return 0;
}

// Arguments: folder, uid, gid. Sits on the server's name, and tells whether its client says a word.
SLUICE_CHILD_ROLE(impostor) {
  Become(arguments[1], arguments[2]);
  const auto socket = ipc::internal::ListeningSocket::Listen(absl::StrCat(arguments[0], "/cacheSrv.sock"), 0666);
  TellParent(socket.ok() ? "listening" : socket.status().ToString());
  if (!socket.ok()) return 1;
  pollfd poll_fd = {.fd = (*socket)->fd().get(), .events = POLLIN, .revents = 0};
  poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit())));
  const Fd client(accept4((*socket)->fd().get(), nullptr, nullptr, SOCK_CLOEXEC));
  const auto frame = ipc::internal::ReceiveFrame(client, PidFd(), TimeLimit());
  TellParent(ReasonOf(frame.status()) == Reason::kGone ? "heard nothing" : "heard a word");
  return 0;
}

class UsersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
    ASSERT_EQ(chown(folder_.path().c_str(), kServerUid, kServerGid), 0);
    ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
  }

  Child StartServer(const std::string& permissions, const std::string& policy = "") {
    std::vector<std::string> arguments = {run_folder_, absl::StrCat(kServerUid), absl::StrCat(kServerGid), permissions};
    if (!policy.empty()) arguments.push_back(policy);
    return Child::Start("server", arguments);
  }
  std::string AskAs(uid_t uid, gid_t gid) {
    return Child::Start("client", {run_folder_, absl::StrCat(uid), absl::StrCat(gid)}).Hear();
  }
  mode_t ModeOf(const std::string& name) {
    struct stat found;
    return lstat(absl::StrCat(run_folder_, name).c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
  }

  TempDir folder_;
  const std::string run_folder_ = absl::StrCat(folder_.path(), "/run");
};

// A6
TEST_F(UsersTest, PermissionsForEveryoneLetTheUniversesClientIn) {
  Child server = StartServer("everyone");
  ASSERT_EQ(server.Hear(), "listening");
  EXPECT_EQ(ModeOf(""), 0755u);
  EXPECT_EQ(ModeOf("/cacheSrv.sock"), 0666u);
  EXPECT_EQ(ModeOf("/cacheSrv.lock"), 0600u);
  EXPECT_EQ(AskAs(kClientUid, kServerGid), "hello");
}

// A6
TEST_F(UsersTest, PermissionsForTheGroupLetItsMembersIn) {
  Child server = StartServer("group");
  ASSERT_EQ(server.Hear(), "listening");
  EXPECT_EQ(ModeOf(""), 0750u);
  EXPECT_EQ(ModeOf("/cacheSrv.sock"), 0660u);
  EXPECT_EQ(AskAs(kClientUid, kServerGid), "hello");
  EXPECT_THAT(AskAs(kClientUid, kStrangerGid), HasSubstr("PERMISSION_DENIED"));
}

// A6
TEST_F(UsersTest, PermissionsForTheUserKeepOthersOut) {
  Child server = StartServer("user");
  ASSERT_EQ(server.Hear(), "listening");
  EXPECT_EQ(ModeOf(""), 0700u);
  EXPECT_EQ(ModeOf("/cacheSrv.sock"), 0600u);
  EXPECT_THAT(AskAs(kClientUid, kServerGid), HasSubstr("PERMISSION_DENIED"));
}

// A1: the class for the client, the rest for the log.
TEST_F(UsersTest, AnotherUidIsRefused) {
  Child server = StartServer("everyone");
  ASSERT_EQ(server.Hear(), "listening");
  EXPECT_THAT(AskAs(4003, kServerGid), HasSubstr("refused: the app's uid or gid is not the universe's"));
  EXPECT_THAT(server.Hear(), HasSubstr("app cacheCli must be uid 4002 and gid 5001, but is pid"));
}

// A1
TEST_F(UsersTest, AnotherGidIsRefused) {
  Child server = StartServer("everyone");
  ASSERT_EQ(server.Hear(), "listening");
  EXPECT_THAT(AskAs(kClientUid, kStrangerGid), HasSubstr("refused: the app's uid or gid is not the universe's"));
  EXPECT_THAT(server.Hear(), HasSubstr("gid 5002"));
}

// A5, S3: somebody else's folder is no place to look for the server.
TEST_F(UsersTest, AnImpostorsFolderIsRefusedByBothSides) {
  ASSERT_TRUE(std::filesystem::create_directory(run_folder_));
  ASSERT_EQ(chown(run_folder_.c_str(), kClientUid, kServerGid), 0);
  EXPECT_THAT(AskAs(kClientUid, kServerGid), HasSubstr("belongs to uid 4002"));
  EXPECT_THAT(StartServer("everyone").Hear(), HasSubstr("belongs to uid 4002"));
}

// A5: a name in a folder that everybody may use, taken by another uid.
TEST_F(UsersTest, AnImpostorInASharedFolderHearsNoHello) {
  ASSERT_TRUE(std::filesystem::create_directory(run_folder_));
  ASSERT_EQ(chmod(run_folder_.c_str(), 01777), 0);
  Child impostor = Child::Start("impostor", {run_folder_, "4003", absl::StrCat(kServerGid)});
  ASSERT_EQ(impostor.Hear(), "listening");
  EXPECT_THAT(AskAs(kClientUid, kServerGid), HasSubstr("app cacheSrv must be uid 4001 and gid 5001, but is pid"));
  EXPECT_EQ(impostor.Hear(), "heard nothing");
}

// S3: the impostor's names stay what they are, and the server says so.
TEST_F(UsersTest, NamesPlantedInASharedFolderAreRefused) {
  ASSERT_TRUE(std::filesystem::create_directory(run_folder_));
  ASSERT_EQ(chmod(run_folder_.c_str(), 01777), 0);
  const std::string lock = absl::StrCat(run_folder_, "/cacheSrv.lock");
  const std::string socket = absl::StrCat(run_folder_, "/cacheSrv.sock");
  std::ofstream(lock) << "kept";
  ASSERT_EQ(chown(lock.c_str(), kClientUid, kServerGid), 0);
  ASSERT_EQ(chmod(lock.c_str(), 0666), 0);
  EXPECT_THAT(StartServer("everyone").Hear(), HasSubstr("PERMISSION_DENIED"));
  EXPECT_EQ(std::filesystem::file_size(lock), 4u);
  std::filesystem::remove(lock);

  std::ofstream(socket) << "kept";
  ASSERT_EQ(chown(socket.c_str(), kClientUid, kServerGid), 0);
  EXPECT_THAT(StartServer("everyone").Hear(), HasSubstr("PERMISSION_DENIED"));
  EXPECT_EQ(std::filesystem::file_size(socket), 4u);
}

// A2: another uid's executable cannot be read; by default that is logged, and the client let in.
TEST_F(UsersTest, AnExecutableThatCannotBeReadIsLogged) {
  Child server = StartServer("everyone", "when_readable");
  ASSERT_EQ(server.Hear(), "listening");
  EXPECT_EQ(AskAs(kClientUid, kServerGid), "hello");
  EXPECT_THAT(server.Hear(), HasSubstr("the executable of app cacheCli is not checked: cannot read"));
}

// A2
TEST_F(UsersTest, AnExecutableThatCannotBeReadIsRefusedWhereItIsRequired) {
  Child server = StartServer("everyone", "required");
  ASSERT_EQ(server.Hear(), "listening");
  EXPECT_THAT(AskAs(kClientUid, kServerGid), HasSubstr("refused: the app's executable is not the universe's"));
  EXPECT_THAT(server.Hear(), HasSubstr("needs the same uid or CAP_SYS_PTRACE"));
}

}  // namespace
}  // namespace ipc::testing
