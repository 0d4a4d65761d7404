#include "ipc_session/internal/server_core.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/frames.h"
#include "ipc_session/internal/identity.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/scripted_login.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ipc::internal::ConnectToListener;
using ipc::internal::EncodeReady;
using ipc::internal::Identity;
using ipc::internal::ReceivedFrame;
using ipc::internal::ServerCore;
using ipc::internal::ServerSettings;
using ipc::internal::SessionCensus;
using ipc::internal::SessionCore;
using ipc::internal::TryReceiveFrame;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kTooLate = absl::StatusCode::kDeadlineExceeded;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

ServerSettings SettingsIn(const std::string& folder) {
  return {.uid = geteuid(),
          .permissions = Permissions::kUser,
          .login_timeout = TimeLimit(),
          .max_pending_logins = 64,
          .max_pending_logins_per_uid = 64,
          .sessions = {.total = 1000, .per_uid = 1000},
          .terms = {
              .app = "cacheSrv", .clients = {Identity(kTestClient)}, .session = OptionsIn(folder), .memory = nullptr}};
}

// Clients are scripted, in the server's own thread: connecting and sending do not need the server's help.
class ServerCoreTest : public ::testing::Test {
 protected:
  void Listen(const ServerSettings& settings) { ASSERT_OK_AND_ASSIGN(server_, ServerCore::Listen(settings)); }
  void Listen() { Listen(SettingsIn(folder_.path())); }

  Fd Connect() {
    absl::StatusOr<Fd> socket = ConnectToListener(absl::StrCat(folder_.path(), "/cacheSrv.sock"), TimeLimit());
    EXPECT_OK(socket);
    return *std::move(socket);
  }

  void SayHello(FdView client) { EXPECT_TRUE(SendPacketOf(client, HelloOf(script_), script_.descriptors)); }
  void SayReady(FdView client) { EXPECT_TRUE(SendPacketOf(client, EncodeReady())); }

  // One round: what is there is done, nothing is waited for.
  absl::StatusOr<std::shared_ptr<SessionCore>> Turn() { return server_->Accept(Deadline::Passed()); }

  // What the client reads next, as the error that it is.
  absl::Status RefusalTo(FdView client) {
    absl::StatusOr<std::optional<ReceivedFrame>> frame = TryReceiveFrame(client);
    if (!frame.ok()) return frame.status();
    if (!frame->has_value()) return absl::InternalError("nothing");
    const auto answer = ipc::internal::DecodeAnswer((*frame)->packet);
    if (!answer.ok()) return answer.status();
    const auto* refusal = std::get_if<ipc::internal::Refusal>(&*answer);
    return refusal == nullptr ? absl::InternalError("a welcome") : absl::Status(refusal->code, refusal->text);
  }

  // Lets a well-behaved client in.
  void ExpectAGoodClientGetsIn() {
    const Fd client = Connect();
    SayHello(client);
    EXPECT_THAT(Turn(), StatusIs(kTooLate));
    SayReady(client);
    EXPECT_OK(Turn());
  }

  TempDir folder_;
  LogLines log_;
  const ScriptedTerms script_;
  std::unique_ptr<ServerCore> server_;
};

TEST_F(ServerCoreTest, ALoginUnderWaySurvivesAnAcceptThatWasTooLate) {
  Listen();
  EXPECT_THAT(Turn(), StatusIs(kTooLate, "no client of server cacheSrv logged in"));
  const Fd client = Connect();
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  SayHello(client);
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  SayReady(client);
  EXPECT_OK(Turn());
  EXPECT_THAT(log_.lines(), IsEmpty());
}

// B5
TEST_F(ServerCoreTest, SilentClientsDoNotHoldUpAGoodOne) {
  Listen();
  std::vector<Fd> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(Connect());
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  ExpectAGoodClientGetsIn();
}

TEST_F(ServerCoreTest, SeveralThatAreDoneAtOnceComeOneByOne) {
  Listen();
  std::vector<Fd> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(Connect());
    SayHello(clients.back());
  }
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  for (const Fd& client : clients) SayReady(client);
  std::vector<std::shared_ptr<SessionCore>> sessions;
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(sessions.emplace_back(), Turn());
  }
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
}

TEST_F(ServerCoreTest, AcceptWaitsForAClientToGoOn) {
  Listen();
  const Fd client = Connect();
  SayHello(client);
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  std::thread late([&] { SayReady(client); });
  EXPECT_OK(server_->Accept(TimeLimit()));
  late.join();
}

TEST_F(ServerCoreTest, ALateLoginEndsWithARefusal) {
  ServerSettings settings = SettingsIn(folder_.path());
  settings.login_timeout = absl::Milliseconds(1);
  Listen(settings);
  const Fd client = Connect();
  EXPECT_THAT(server_->Accept(absl::Milliseconds(50)), StatusIs(kTooLate));
  EXPECT_THAT(RefusalTo(client), StatusIs(kTooLate, "the login took too long"));
  EXPECT_THAT(log_.lines(), ElementsAre(AllOf(HasSubstr("server cacheSrv refused a client (pid"),
                                              HasSubstr("DEADLINE_EXCEEDED: no hello came in time"))));
}

TEST_F(ServerCoreTest, BeyondTheCapClientsWaitInTheQueue) {
  ServerSettings settings = SettingsIn(folder_.path());
  settings.max_pending_logins = 2;
  Listen(settings);
  Fd first = Connect();
  const Fd second = Connect();
  const Fd third = Connect();
  SayHello(third);
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  EXPECT_THAT(TryReceiveFrame(third), IsOkAndHolds(::testing::Eq(std::nullopt)));  // Not looked at yet.
  first.Close();
  EXPECT_THAT(Turn(), StatusIs(kTooLate));  // Leaves a place,
  EXPECT_THAT(Turn(), StatusIs(kTooLate));  // which is taken.
  ASSERT_OK_AND_ASSIGN(const auto frame, TryReceiveFrame(third));
  EXPECT_TRUE(frame.has_value());
  SayReady(third);
  EXPECT_OK(Turn());
}

// B5: the limit itself, and one past it.
TEST_F(ServerCoreTest, BeyondAUidsShareItsClientsWait) {
  ServerSettings settings = SettingsIn(folder_.path());
  settings.max_pending_logins_per_uid = 2;
  Listen(settings);
  std::vector<Fd> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(Connect());
    SayHello(clients.back());
  }
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  for (int i = 0; i < 2; ++i) EXPECT_THAT(RefusalTo(clients[i]), StatusIs(absl::StatusCode::kInternal, "a welcome"));
  EXPECT_THAT(TryReceiveFrame(clients[2]), IsOkAndHolds(::testing::Eq(std::nullopt)));
  SayReady(clients[0]);
  EXPECT_OK(Turn());
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  EXPECT_THAT(RefusalTo(clients[2]), StatusIs(absl::StatusCode::kInternal, "a welcome"));
  EXPECT_THAT(log_.lines(), IsEmpty());
}

// B5: whoever waits for his turn costs no time of the processor.
TEST_F(ServerCoreTest, ItSleepsWhileNobodyCanBeLetIn) {
  ServerSettings settings = SettingsIn(folder_.path());
  settings.max_pending_logins_per_uid = 1;
  Listen(settings);
  std::vector<Fd> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(Connect());
  const OsTesting os;
  EXPECT_THAT(server_->Accept(absl::Milliseconds(30)), StatusIs(kTooLate));
  EXPECT_LE(os.calls("Poll"), 2);
}

// B5: silent clients lose their places to a good one, however many they are.
TEST_F(ServerCoreTest, AUidThatFillsItsShareWithSilenceIsCutShort) {
  ServerSettings settings = SettingsIn(folder_.path());
  settings.max_pending_logins_per_uid = 4;
  settings.login_timeout = absl::Hours(1);
  Listen(settings);
  std::vector<Fd> silent;
  for (int i = 0; i < 50; ++i) silent.push_back(Connect());
  const Fd client = Connect();
  SayHello(client);
  SayReady(client);
  EXPECT_OK(server_->Accept(TimeLimit()));
  EXPECT_THAT(RefusalTo(silent[0]), StatusIs(kUnavailable, "the server has too many logins under way"));
  EXPECT_EQ(log_.lines().size(), 47u);
  EXPECT_THAT(log_.lines()[0], HasSubstr("it has not said hello, and others wait for its place"));
}

// B5: and so they do where they fill all places.
TEST_F(ServerCoreTest, ARushThatFillsAllPlacesIsCutShort) {
  ServerSettings settings = SettingsIn(folder_.path());
  settings.max_pending_logins = 4;
  settings.login_timeout = absl::Hours(1);
  Listen(settings);
  std::vector<Fd> silent;
  for (int i = 0; i < 50; ++i) silent.push_back(Connect());
  const Fd client = Connect();
  SayHello(client);
  SayReady(client);
  EXPECT_OK(server_->Accept(TimeLimit()));
}

// B5: a hello that came first keeps its place; the later ones are refused, and told so.
TEST_F(ServerCoreTest, ALaterClientIsRefusedWhereNobodyIsSilent) {
  ServerSettings settings = SettingsIn(folder_.path());
  settings.max_pending_logins_per_uid = 1;
  settings.login_timeout = absl::Hours(1);
  Listen(settings);
  const Fd first = Connect();
  SayHello(first);
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  const Fd second = Connect();
  while (log_.lines().empty()) EXPECT_THAT(server_->Accept(absl::Milliseconds(20)), StatusIs(kTooLate));
  EXPECT_THAT(RefusalTo(second), StatusIs(kUnavailable, "the server has too many logins under way"));
  EXPECT_THAT(log_.lines()[0], HasSubstr("too many logins are under way (max_pending_logins 64, "
                                         "max_pending_logins_per_uid 1)"));
  SayReady(first);
  EXPECT_OK(Turn());
  ExpectAGoodClientGetsIn();
}

// The last session per uid, and one past; then in all.
TEST_F(ServerCoreTest, SessionsHaveALimit) {
  for (const SessionCensus::Limits& limits :
       {SessionCensus::Limits{.total = 9, .per_uid = 2}, SessionCensus::Limits{.total = 2, .per_uid = 9}}) {
    ServerSettings settings = SettingsIn(folder_.path());
    settings.sessions = limits;
    server_ = nullptr;
    Listen(settings);
    std::vector<std::shared_ptr<SessionCore>> sessions;
    std::vector<Fd> clients;
    for (int i = 0; i < 2; ++i) {
      clients.push_back(Connect());
      SayHello(clients.back());
      SayReady(clients.back());
      ASSERT_OK_AND_ASSIGN(sessions.emplace_back(), server_->Accept(TimeLimit()));
    }
    const LogLines log;
    const Fd client = Connect();
    SayHello(client);
    EXPECT_THAT(Turn(), StatusIs(kTooLate));
    EXPECT_THAT(RefusalTo(client), StatusIs(kExhausted, "the server is at a limit"));
    EXPECT_THAT(log.lines(), ElementsAre(AllOf(HasSubstr("app cacheCli"), HasSubstr("there are 2 sessions"))));
    clients.pop_back();  // Its session has ended, though the server still holds it.
    ExpectAGoodClientGetsIn();
  }
}

// Logins under way that have said hello count, so that the limit holds when they are done.
TEST_F(ServerCoreTest, SessionsThatAreAboutToBeCount) {
  ServerSettings settings = SettingsIn(folder_.path());
  settings.sessions = {.total = 1, .per_uid = 1};
  Listen(settings);
  Fd first = Connect();
  SayHello(first);
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  const Fd second = Connect();
  SayHello(second);
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  EXPECT_THAT(RefusalTo(second), StatusIs(kExhausted));
  first.Close();
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  ExpectAGoodClientGetsIn();
}

// M1, M2: and the reason is in the log.
TEST_F(ServerCoreTest, BadClientsAreLoggedAndDoNoHarm) {
  Listen();
  const Fd client = Connect();
  EXPECT_TRUE(SendPacketOf(client, "not a hello"));
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  EXPECT_THAT(log_.lines(), ElementsAre(AllOf(HasSubstr("server cacheSrv refused a client (pid"),
                                              HasSubstr("does not speak the session protocol"))));
  ExpectAGoodClientGetsIn();
}

// K1
TEST_F(ServerCoreTest, ClientsThatGoLeaveNothing) {
  Listen();
  const World before = World::Now();
  Connect();
  Fd client = Connect();
  SayHello(client);
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  client.Close();
  EXPECT_THAT(Turn(), StatusIs(kTooLate));
  EXPECT_EQ(World::Now(), before);
  ExpectAGoodClientGetsIn();
}

// One call per readiness is enough, whoever waits for whom.
TEST_F(ServerCoreTest, AnEventLoopIsToldOfAllThereIsToDo) {
  ServerSettings settings = SettingsIn(folder_.path());
  settings.max_pending_logins_per_uid = 1;
  settings.login_timeout = absl::Hours(1);
  Listen(settings);
  ASSERT_OK_AND_ASSIGN(const FdView wait_fd, server_->wait_fd());
  EXPECT_FALSE(IsReadable(wait_fd));
  std::vector<Fd> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(Connect());
    SayHello(clients.back());
    SayReady(clients.back());
  }
  std::vector<std::shared_ptr<SessionCore>> sessions;
  while (sessions.size() < clients.size()) {
    ASSERT_TRUE(BecomesReadable(wait_fd));
    ASSERT_OK_AND_ASSIGN(std::shared_ptr<SessionCore> session, server_->TryAccept());
    if (session != nullptr) sessions.push_back(std::move(session));
  }
  EXPECT_THAT(server_->TryAccept(), IsOkAndHolds(nullptr));
  EXPECT_FALSE(IsReadable(wait_fd));
}

TEST_F(ServerCoreTest, AnEventLoopSleepsWhileALoginIsSilent) {
  ServerSettings settings = SettingsIn(folder_.path());
  settings.login_timeout = absl::Hours(1);
  Listen(settings);
  ASSERT_OK_AND_ASSIGN(const FdView wait_fd, server_->wait_fd());
  const Fd client = Connect();
  EXPECT_TRUE(IsReadable(wait_fd));
  EXPECT_THAT(server_->TryAccept(), IsOkAndHolds(nullptr));
  EXPECT_FALSE(IsReadable(wait_fd));
  SayHello(client);
  EXPECT_TRUE(IsReadable(wait_fd));
  EXPECT_THAT(server_->TryAccept(), IsOkAndHolds(nullptr));
  EXPECT_FALSE(IsReadable(wait_fd));
}

// F12: a welcome that finds no room is tried again, which no client's word makes ready.
TEST_F(ServerCoreTest, AnEventLoopIsWokenForAWelcomeThatFoundNoRoom) {
  Listen();
  ASSERT_OK_AND_ASSIGN(const FdView wait_fd, server_->wait_fd());
  const Fd client = Connect();
  SayHello(client);
  {
    const OsTesting os({FailCall("SendMsg", ETOOMANYREFS)});
    EXPECT_THAT(server_->TryAccept(), IsOkAndHolds(nullptr));
    EXPECT_EQ(os.interventions(), 1);
  }
  EXPECT_TRUE(BecomesReadable(wait_fd));
  EXPECT_THAT(server_->TryAccept(), IsOkAndHolds(nullptr));
  EXPECT_THAT(RefusalTo(client), StatusIs(absl::StatusCode::kInternal, "a welcome"));
}

// R2: with a descriptor for a client's socket, but none to watch its process, the client is kept for later.
TEST_F(ServerCoreTest, AClientThatCannotBeWatchedYetIsNotDropped) {
  Listen();
  const Fd client = Connect();
  SayHello(client);
  SayReady(client);
  const OsTesting os({FailCall("GetSockOpt", EMFILE, {.first = 2})});  // After the credentials.
  EXPECT_OK(server_->Accept(TimeLimit()));
  EXPECT_EQ(os.interventions(), 1);
  EXPECT_THAT(log_.lines(), ElementsAre(HasSubstr("cannot take clients in")));
}

// R2, F19: without descriptors the listening socket stays readable; the server must not spin on it.
TEST_F(ServerCoreTest, OutOfDescriptorsItPauses) {
  Listen();
  const Fd client = Connect();
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const Fd highest(dup(0));  // The lowest free number: no more than those below it.
  rlimit clamped = limit;
  clamped.rlim_cur = static_cast<rlim_t>(highest.get()) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &clamped), 0);
  EXPECT_THAT(server_->Accept(absl::Milliseconds(20)), StatusIs(kTooLate));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  // One line at its start, and at most one more where this thread was held up for longer than the pause.
  EXPECT_GE(log_.lines().size(), 1u);
  EXPECT_LE(log_.lines().size(), 3u);
  EXPECT_THAT(log_.lines()[0], AllOf(HasSubstr("cannot take clients in"), HasSubstr("RLIMIT_NOFILE")));

  SayHello(client);
  EXPECT_THAT(server_->Accept(absl::Milliseconds(200)), StatusIs(kTooLate));
  SayReady(client);
  EXPECT_OK(server_->Accept(TimeLimit()));
}

}  // namespace
}  // namespace ipc::testing
