// The limits of logins and sessions, between users: what one does cannot keep another out.
// needs several uids

#include <sys/stat.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/apps.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/permissions.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/user.h"

namespace ipc::testing {
namespace {

constexpr uid_t kFlooderUid = kOtherUid;
constexpr uid_t kClientUid = kOtherUid + 1;
constexpr absl::string_view kMayConnectHere[] = {"cacheCli", "flooder"};

App ClientApp() { return {.name = "cacheCli", .uid = kClientUid, .gid = kOtherGid}; }
App FlooderApp() { return {.name = "flooder", .uid = kFlooderUid, .gid = kOtherGid}; }
ServerApp TheServer() {
  return {.app = {.name = "cacheSrv", .uid = 0, .gid = 0},
          .allowed_clients = kMayConnectHere,
          .permissions = Permissions::kEveryone};
}

// Arguments: folder, how many connections that say nothing.
SLUICE_CHILD_ROLE(silent_flood) {
  BecomeUser(kFlooderUid, kOtherGid);
  int count;
  if (!absl::SimpleAtoi(arguments[1], &count)) return 1;
  std::vector<Fd> silent;
  for (int i = 0; i < count; ++i) {
    silent.push_back(
        ipc::internal::ConnectToListener(absl::StrCat(arguments[0], "/cacheSrv.sock"), TimeLimit()).value());
  }
  TellParent("connected");
  HearParent();
  return 0;
}

// Arguments: folder, app, uid. Says how its login went, and stays.
SLUICE_CHILD_ROLE(client) {
  uid_t uid;
  if (!absl::SimpleAtoi(arguments[2], &uid)) return 1;
  BecomeUser(uid, kOtherGid);
  const App app = arguments[1] == "flooder" ? FlooderApp() : ClientApp();
  const absl::StatusOr<Session> session = Session::Connect(app, TheServer(), OptionsIn(arguments[0]));
  TellParent(session.ok() ? "in" : session.status().ToString());
  HearParent();
  return 0;
}

constexpr int kProcesses = 4;
constexpr int kClientsPerProcess = 20;

// Argument: folder. Many log in at once, and say how that went.
SLUICE_CHILD_ROLE(crowd) {
  std::vector<absl::StatusOr<Session>> sessions(kClientsPerProcess);
  std::vector<std::thread> clients;
  for (absl::StatusOr<Session>& session : sessions) {
    clients.emplace_back([&] { session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0])); });
  }
  for (std::thread& client : clients) client.join();
  std::string failures;
  for (const absl::StatusOr<Session>& session : sessions) {
    if (!session.ok()) absl::StrAppend(&failures, session.status().ToString(), "; ");
  }
  TellParent(failures.empty() ? "all are in" : failures);
  HearParent();
  return 0;
}

// B5: who finds no place tries again, so a crowd of good clients gets in, however few places there are.
TEST(CrowdTest, ComesInThroughANarrowDoor) {
  const TempDir folder;
  ServerOptions options = ServerOptionsIn(folder.path());
  options.max_pending_logins_per_uid = 2;
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, options));
  std::vector<Child> crowd;
  for (int i = 0; i < kProcesses; ++i) crowd.push_back(Child::Start("crowd", {folder.path()}));
  std::vector<Session> sessions;
  for (int i = 0; i < kProcesses * kClientsPerProcess; ++i) {
    absl::StatusOr<Session> session = server.Accept(TimeLimit());
    ASSERT_OK(session);
    sessions.push_back(*std::move(session));
  }
  for (Child& clients : crowd) EXPECT_EQ(clients.Hear(), "all are in");
}

class LoginCapsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
    ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
    options_.clients = {ClientApp(), FlooderApp()};
  }

  Child StartClient(const App& app) {
    return Child::Start("client", {folder_.path(), std::string(app.name), absl::StrCat(*app.uid)});
  }

  const LogLines log_;
  const TempDir folder_;
  ServerOptions options_ = ServerOptionsIn(folder_.path());
};

// B5, F18: the flood's logins would last an hour.
TEST_F(LoginCapsTest, AFloodOfOneUserKeepsNobodyElseOut) {
  options_.login_timeout = absl::Hours(1);
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(TheServer(), options_));
  Child flood = Child::Start("silent_flood", {folder_.path(), "300"});
  ASSERT_EQ(flood.Hear(), "connected");
  Child client = StartClient(ClientApp());
  ASSERT_OK_AND_ASSIGN(const Session session, server.Accept(TimeLimit()));
  EXPECT_EQ(session.peer().credentials.uid, kClientUid);
  EXPECT_EQ(client.Hear(), "in");
}

TEST_F(LoginCapsTest, AUsersSessionsAreNotAnothers) {
  options_.max_sessions_per_uid = 1;
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(TheServer(), options_));
  Child first = StartClient(FlooderApp());
  ASSERT_OK_AND_ASSIGN(const Session session, server.Accept(TimeLimit()));
  EXPECT_EQ(first.Hear(), "in");
  Child second = StartClient(FlooderApp());
  Child client = StartClient(ClientApp());
  ASSERT_OK_AND_ASSIGN(const Session other, server.Accept(TimeLimit()));
  EXPECT_EQ(other.peer().app, "cacheCli");
  EXPECT_EQ(client.Hear(), "in");
  while (log_.lines().empty()) {
    ASSERT_THAT(server.Accept(absl::Milliseconds(10)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  }
  EXPECT_THAT(second.Hear(), ::testing::HasSubstr("RESOURCE_EXHAUSTED"));
}

}  // namespace
}  // namespace ipc::testing
