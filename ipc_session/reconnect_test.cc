#include "ipc_session/reconnect.h"

#include <set>
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
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/universe.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

constexpr int kProcesses = 5;
constexpr int kClientsPerProcess = 10;
constexpr size_t kClients = kProcesses * kClientsPerProcess;

// Takes clients in until every one has a session, says whether one has two, and stays until it is killed. Argument: the
// run folder.
SLUICE_CHILD_ROLE(server) {
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  std::vector<Session> sessions;
  std::set<std::string> clients;
  while (clients.size() < kClients) {
    absl::StatusOr<Session> session = server->Accept(TimeLimit());
    if (!session.ok()) {
      TellParent(absl::StrCat(session.status().ToString(), " after ", clients.size()));
      return 1;
    }
    clients.insert(session->peer_metadata());
    sessions.push_back(*std::move(session));
  }
  TellParent(sessions.size() == clients.size() ? "all are in" : "one has two sessions");
  HearParent();
  return 0;
}

// Has a session whenever there is a server. Its metadata is its name.
void LiveOn(const std::string& folder, const std::string& name) {
  SessionOptions options = OptionsIn(folder);
  options.metadata = name;
  Reconnector<Session> sessions(kTestClient, kTestServer, options);
  while (true) {
    absl::StatusOr<Session> session = sessions.Next(TimeLimit());
    if (!session.ok()) return;
    session->WaitForEnd(Deadline::Never()).IgnoreError();
  }
}

// Arguments: folder, number of the first client.
SLUICE_CHILD_ROLE(clients) {
  int first;
  if (!absl::SimpleAtoi(arguments[1], &first)) return 1;
  for (int i = 0; i < kClientsPerProcess; ++i) {
    std::thread(LiveOn, arguments[0], absl::StrCat("client ", first + i)).detach();
  }
  HearParent();
  return 0;
}

// B6
TEST(ReconnectTest, FiftyClientsComeBackToTheNextServer) {
  const TempDir folder;
  std::vector<Child> clients;
  for (int i = 0; i < kProcesses; ++i) {
    clients.push_back(Child::Start("clients", {folder.path(), absl::StrCat(i * kClientsPerProcess)}));
  }
  for (int round = 0; round < 3; ++round) {
    Child server = Child::Start("server", {folder.path()});
    ASSERT_EQ(server.Hear(), "listening");
    EXPECT_EQ(server.Hear(), "all are in");
    server.Kill();
  }
  for (Child& client : clients) client.Kill();
}

TEST(ReconnectTest, ADeadlineSaysWhatItWaitedFor) {
  const TempDir folder;
  Reconnector<Session> sessions(kTestClient, kTestServer, OptionsIn(folder.path()));
  const absl::Status status = sessions.Next(absl::Milliseconds(5)).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded,
                               ::testing::HasSubstr("connect app cacheCli to server cacheSrv: no server listens")));
  EXPECT_EQ(ReasonOf(status), Reason::kNoServer);
}

TEST(ReconnectTest, WhatWaitingDoesNotMendIsTold) {
  const TempDir folder;
  Reconnector<Session> sessions(App{.name = "bad name"}, kTestServer, OptionsIn(folder.path()));
  EXPECT_THAT(sessions.Next(), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ipc::testing
