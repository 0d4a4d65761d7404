// Who a client is, of all that it could be: effective uid and gid of the process that connected.
// needs several uids

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/apps.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/frames.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/scripted_login.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/credentials.h"
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

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr uid_t kClientUid = 4002;
constexpr uid_t kStrangerUid = 4003;
constexpr gid_t kClientGid = 5001;
constexpr gid_t kStrangerGid = 5002;

constexpr absl::Duration kTurn = absl::Milliseconds(5);
constexpr char kRefused[] = "refused as wrong user";

ServerApp ServerAppFor(Permissions permissions) {
  return {.app = {.name = "cacheSrv", .uid = 0, .gid = 0}, .allowed_clients = kMayConnect, .permissions = permissions};
}

// All that a process is.
struct User {
  uid_t real_uid;
  uid_t effective_uid;
  gid_t real_gid;
  gid_t effective_gid;
  gid_t supplementary_gid;
};
constexpr User kClient = {kClientUid, kClientUid, kClientGid, kClientGid, kClientGid};

unsigned NumberFrom(const std::string& text) {
  unsigned number;
  if (!absl::SimpleAtoi(text, &number)) std::abort();
  return number;
}

// Logs in as a user, and tells the answer. Arguments: the run folder, and the numbers of `User`.
SLUICE_CHILD_ROLE(client) {
  const gid_t supplementary = NumberFrom(arguments[5]);
  if (setgroups(1, &supplementary) != 0 ||
      setresgid(NumberFrom(arguments[3]), NumberFrom(arguments[4]), NumberFrom(arguments[4])) != 0 ||
      setresuid(NumberFrom(arguments[1]), NumberFrom(arguments[2]), NumberFrom(arguments[2])) != 0) {
    return 1;
  }
  absl::StatusOr<Session> session =
      Session::Connect({.name = "cacheCli"}, ServerAppFor(Permissions::kEveryone), OptionsIn(arguments[0]));
  if (session.ok()) {
    Channel channel = session->TakeChannel(0);
    TellParent(Ask(channel, "hello"));
  } else if (ReasonOf(session.status()) != Reason::kNone) {
    TellParent(absl::StrCat("refused as ", Name(ReasonOf(session.status()))));
  } else {
    TellParent(session.status().ToString());
  }
  return 0;
}

// Connects as the client's user, and gives its socket to a process of a stranger's. Arguments: the run folder, and a
// FIFO.
SLUICE_CHILD_ROLE(connector) {
  if (setgroups(0, nullptr) != 0 || setegid(kClientGid) != 0 || seteuid(kClientUid) != 0) return 1;
  absl::StatusOr<Fd> socket =
      ipc::internal::ConnectToListener(absl::StrCat(arguments[0], "/cacheSrv.sock"), TimeLimit());
  if (!socket.ok() || seteuid(0) != 0 || setegid(0) != 0) return 2;
  Child heir = Child::Start("heir", {arguments[1]}, {.environment = {}, .inherited = *socket});
  socket->Close();
  TellParent(heir.Hear());
  HearParent();
  return 0;
}

// A stranger who has a connection that another process made: logs in over it, and stays until the FIFO, its argument,
// is opened for writing.
SLUICE_CHILD_ROLE(heir) {
  BecomeUser(kStrangerUid, kStrangerGid);
  const Fd socket = InheritedFd();
  const ScriptedTerms script;
  const bool greeted = SendPacketOf(socket, HelloOf(script), script.descriptors);
  const auto welcome = ipc::internal::ReceiveFrame(socket, PidFd(), TimeLimit());
  const bool ready = welcome.ok() && SendPacketOf(socket, ipc::internal::EncodeReady());
  TellParent(greeted && ready ? absl::StrCat(getpid()) : "not let in");
  const Fd gate(open(arguments[0].c_str(), O_RDONLY | O_CLOEXEC));
  return 0;
}

// A server of root's, in this process.
class GroupsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
    Listen(Permissions::kEveryone);
  }

  void Listen(Permissions permissions) {
    server_.reset();
    ServerOptions options = ServerOptionsIn(run_folder_);
    options.clients = {{.name = "cacheCli", .uid = kClientUid, .gid = kClientGid}};
    ASSERT_OK_AND_ASSIGN(server_, Server::Listen(ServerAppFor(permissions), options));
  }

  // What a client of that kind is told.
  std::string AskAs(const User& user) {
    Child client = Child::Start("client", {run_folder_, absl::StrCat(user.real_uid), absl::StrCat(user.effective_uid),
                                           absl::StrCat(user.real_gid), absl::StrCat(user.effective_gid),
                                           absl::StrCat(user.supplementary_gid)});
    const absl::StatusOr<PidFd> process = PidFd::Open(client.pid());
    if (!process.ok()) return process.status().ToString();
    while (!process->HasEnded()) {
      absl::StatusOr<Session> session = server_->Accept(kTurn);
      if (!session.ok()) continue;
      Channel channel = session->TakeChannel(0);
      Echo(channel).IgnoreError();
    }
    return client.Hear();
  }

  LogLines log_;
  const TempDir folder_;
  const std::string run_folder_ = absl::StrCat(folder_.path(), "/run");
  std::optional<Server> server_;
};

// A1: both must be right.
TEST_F(GroupsTest, UidAndGidAreCompared) {
  EXPECT_EQ(AskAs(kClient), "hello");
  for (const uid_t uid : {uid_t{0}, kClientUid, kStrangerUid}) {
    for (const gid_t gid : {gid_t{0}, kClientGid, kStrangerGid}) {
      SCOPED_TRACE(absl::StrCat(uid, ":", gid));
      EXPECT_EQ(AskAs({uid, uid, gid, gid, gid}), uid == kClientUid && gid == kClientGid ? "hello" : kRefused);
    }
  }
}

// A1: to belong to a group besides is neither enough nor in the way.
TEST_F(GroupsTest, SupplementaryGroupsDoNotCount) {
  EXPECT_EQ(AskAs({kClientUid, kClientUid, kStrangerGid, kStrangerGid, kClientGid}), kRefused);
  EXPECT_EQ(AskAs({kClientUid, kClientUid, kClientGid, kClientGid, kStrangerGid}), "hello");
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("but is pid")));
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("uid 4002, gid 5002")));
}

// A1: such a program has borrowed its user's rights, or dropped them, for the moment.
TEST_F(GroupsTest, TheEffectiveOnesAreCompared) {
  EXPECT_EQ(AskAs({kStrangerUid, kClientUid, kStrangerGid, kClientGid, kStrangerGid}), "hello");
  EXPECT_EQ(AskAs({kClientUid, kStrangerUid, kClientGid, kClientGid, kClientGid}), kRefused);
  EXPECT_EQ(AskAs({kClientUid, kClientUid, kClientGid, kStrangerGid, kClientGid}), kRefused);
}

// A1, A6: a supplementary group opens the folder, and still no session.
TEST_F(GroupsTest, TheKernelLetsMembersToTheSocketAndNoFurther) {
  Listen(Permissions::kGroup);
  ASSERT_EQ(chown(run_folder_.c_str(), 0, kClientGid), 0);
  ASSERT_EQ(chown(absl::StrCat(run_folder_, "/cacheSrv.sock").c_str(), 0, kClientGid), 0);
  EXPECT_EQ(AskAs(kClient), "hello");
  EXPECT_EQ(AskAs({kClientUid, kClientUid, kStrangerGid, kStrangerGid, kClientGid}), kRefused);
  EXPECT_THAT(AskAs({kClientUid, kClientUid, kStrangerGid, kStrangerGid, kStrangerGid}),
              HasSubstr("PERMISSION_DENIED"));
}

// A4: a connection speaks for the process that made it, whoever holds it now, and ends with that process.
TEST_F(GroupsTest, APassedConnectionIsItsConnectors) {
  const std::string gate = absl::StrCat(folder_.path(), "/gate");
  ASSERT_EQ(mkfifo(gate.c_str(), 0644), 0);
  Child connector = Child::Start("connector", {run_folder_, gate});
  ASSERT_OK_AND_ASSIGN(Session session, server_->Accept(TimeLimit()));
  EXPECT_EQ(session.peer().credentials, (Credentials{connector.pid(), kClientUid, kClientGid}));
  int number = 0;
  ASSERT_TRUE(absl::SimpleAtoi(connector.Hear(), &number));
  ASSERT_NE(number, connector.pid());
  ASSERT_OK_AND_ASSIGN(const PidFd heir, PidFd::Open(number));
  EXPECT_OK(session.status());
  ASSERT_EQ(kill(connector.pid(), SIGKILL), 0);
  connector.WaitUntilEnded();
  EXPECT_EQ(ReasonOf(session.WaitForEnd(TimeLimit())), Reason::kKilled);
  EXPECT_FALSE(heir.HasEnded());
  {
    const Fd opened(open(gate.c_str(), O_WRONLY | O_CLOEXEC));
  }
  EXPECT_TRUE(heir.WaitForEnd(TimeLimit()).has_value());
}

}  // namespace
}  // namespace ipc::testing
