#include "ipc_session/internal/client_login.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/frames.h"
#include "ipc_session/internal/listening_socket.h"
#include "ipc_session/testing/fake_memory.h"
#include "ipc_session/testing/scripted_login.h"
#include "ipc_session/testing/universe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ipc::internal::ListeningSocket;
using ipc::internal::LogIn;
using ipc::internal::ReceivedFrame;
using ipc::internal::ReceiveFrame;
using ipc::internal::Refusal;
using ipc::internal::SessionCore;
using ipc::internal::Welcome;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

std::string WelcomeOf(const ScriptedTerms& script) { return Encode(Welcome{.terms = script.terms}); }

// A client against a server that answers the hello as a script says.
class ClientLoginTest : public ::testing::Test {
 protected:
  // Gets the client's socket and hello; what it returns is kept open until the client is done.
  using Script = std::function<void(FdView, const ReceivedFrame&)>;

  absl::StatusOr<std::shared_ptr<SessionCore>> LogInTo(const Script& script,
                                                       const ipc::internal::SessionMemoryFactory* memory = nullptr) {
    return LogInAs(kTestServer, script, memory);
  }

  // The next connection, on the server's side.
  Fd NextClient() {
    pollfd poll_fd = {.fd = socket_->fd().get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))), 1);
    return Fd(accept4(socket_->fd().get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

  absl::StatusOr<std::shared_ptr<SessionCore>> LogInAs(const ServerApp& server, const Script& script,
                                                       const ipc::internal::SessionMemoryFactory* memory = nullptr) {
    Fd client;
    std::thread peer([&] {
      client = NextClient();
      const absl::StatusOr<ReceivedFrame> hello = ReceiveFrame(client, PidFd(), TimeLimit());
      said_hello_ = hello.ok();
      if (hello.ok()) script(client, *hello);
    });
    auto core = LogIn(kTestClient, server, options_, memory);
    peer.join();
    if (core.ok()) client_ = std::move(client);
    return core;
  }

  // The script's answer is bytes.
  absl::Status StatusAfter(const std::string& answer, const std::vector<Fd>& descriptors = {}) {
    return LogInTo([&](FdView client, const ReceivedFrame&) { SendPacketOf(client, answer, descriptors); }).status();
  }

  TempDir folder_;
  std::unique_ptr<ListeningSocket> socket_ =
      ListeningSocket::Listen(absl::StrCat(folder_.path(), "/cacheSrv.sock"), 0600).value();
  SessionOptions options_ = OptionsIn(folder_.path());
  bool said_hello_ = false;
  Fd client_;  // The server's side of a session.
};

TEST_F(ClientLoginTest, AGoodWelcomeIsAnsweredByReady) {
  const ScriptedTerms script;
  ASSERT_OK_AND_ASSIGN(auto core, LogInTo([&](FdView client, const ReceivedFrame& frame) {
                         ASSERT_OK_AND_ASSIGN(const auto hello, ipc::internal::DecodeHello(frame.packet));
                         EXPECT_EQ(hello.client_app, "cacheCli");
                         EXPECT_EQ(hello.server_app, "cacheSrv");
                         EXPECT_EQ(hello.terms.channels, 1u);
                         EXPECT_EQ(frame.descriptors.size(), 1u);
                         SendPacketOf(client, WelcomeOf(script), script.descriptors);
                       }));
  EXPECT_OK(core->status());
  ASSERT_OK_AND_ASSIGN(const ReceivedFrame ready, ReceiveFrame(client_, PidFd(), TimeLimit()));
  EXPECT_OK(ipc::internal::DecodeReady(ready.packet));
}

TEST_F(ClientLoginTest, ARefusalsClassAndTextReachTheCaller) {
  const absl::Status status = StatusAfter(Encode(Refusal{.code = kDenied, .reason = Reason::kNotListed, .text = "no"}));
  EXPECT_THAT(status, StatusIs(kDenied, "connect app cacheCli to server cacheSrv: refused: no"));
  EXPECT_EQ(ReasonOf(status), Reason::kNotListed);
}

// F23: closed with the hello unread, the socket tells of that first.
TEST_F(ClientLoginTest, ARefusalIsReadThoughTheHelloWasNot) {
  const std::string refusal = Encode(Refusal{
      .code = absl::StatusCode::kResourceExhausted, .reason = Reason::kLimit, .text = "the server is at a limit"});
  for (const bool before_the_hello : {false, true}) {
    std::thread peer([&] {
      const Fd client = NextClient();
      if (!before_the_hello) {
        EXPECT_TRUE(BecomesReadable(client));
      }
      SendPacketOf(client, refusal);
    });
    const absl::Status status = LogIn(kTestClient, kTestServer, options_, nullptr).status();
    peer.join();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("refused: the server is at a limit")));
    EXPECT_EQ(ReasonOf(status), Reason::kLimit);
  }
}

// M1
TEST_F(ClientLoginTest, RandomBytesInsteadOfAWelcome) {
  const World before = World::Now();
  for (unsigned seed = 0; seed < 200; ++seed) {
    EXPECT_THAT(StatusAfter(RandomBytes(seed, 4096)), StatusIs(kDataLoss)) << seed;
  }
  EXPECT_EQ(World::Now(), before);
}

// M2, M3
TEST_F(ClientLoginTest, TruncatedExtraAndOversizeWelcomes) {
  const ScriptedTerms script;
  const std::string welcome = WelcomeOf(script);
  for (const std::string& packet : {welcome.substr(0, 1), welcome.substr(0, 12), welcome.substr(0, welcome.size() - 1),
                                    welcome + "x", std::string(100000, 'x'), welcome + std::string(100000, 'x')}) {
    EXPECT_THAT(StatusAfter(packet, script.descriptors), StatusIs(kDataLoss)) << packet.size();
  }
}

// M5
TEST_F(ClientLoginTest, AnswersOutOfTurn) {
  const ScriptedTerms script;
  EXPECT_THAT(StatusAfter(HelloOf(script), script.descriptors), StatusIs(kDataLoss));
  EXPECT_THAT(StatusAfter(ipc::internal::EncodeReady()), StatusIs(kDataLoss));
}

TEST_F(ClientLoginTest, AWelcomeThatDoesNotFitTheHello) {
  ScriptedTerms other_kind;
  other_kind.terms.kind = ipc::internal::MemoryKind::kClassic;
  EXPECT_THAT(StatusAfter(WelcomeOf(other_kind), other_kind.descriptors),
              StatusIs(kDataLoss, HasSubstr("does not fit the hello")));
  ScriptedTerms fewer_channels;
  fewer_channels.terms.channels = 0;
  EXPECT_THAT(StatusAfter(WelcomeOf(fewer_channels), fewer_channels.descriptors),
              StatusIs(kDataLoss, HasSubstr("does not fit the hello")));
}

// D1, D2
TEST_F(ClientLoginTest, WrongDescriptorsAreRefusedAndClosed) {
  const ScriptedTerms script;
  const std::vector<Fd> wrong = WrongDescriptors(script.terms.outbox.bytes);
  const World before = World::Now();
  EXPECT_THAT(StatusAfter(WelcomeOf(script)), StatusIs(kDataLoss));
  EXPECT_THAT(StatusAfter(WelcomeOf(script), wrong), StatusIs(kDataLoss));
  for (const Fd& descriptor : wrong) {
    std::vector<Fd> one;
    one.push_back(*Duplicate(descriptor));
    EXPECT_THAT(StatusAfter(WelcomeOf(script), one), StatusIs(kDataLoss));
  }
  EXPECT_EQ(World::Now(), before);
}

TEST_F(ClientLoginTest, MemoryThatRefusesWhatTheServerOffers) {
  const FakeMemoryFactory memory(1, absl::DataLossError("not mine"));
  ScriptedTerms script;
  script.terms.kind = memory.kind();
  EXPECT_THAT(
      LogInTo([&](FdView client, const ReceivedFrame&) { SendPacketOf(client, WelcomeOf(script), script.descriptors); },
              &memory),
      StatusIs(kDataLoss, HasSubstr("not mine")));
}

TEST_F(ClientLoginTest, AServerThatClosesIsGone) {
  const absl::Status status =
      LogInTo([](FdView client, const ReceivedFrame&) { shutdown(client.get(), SHUT_RDWR); }).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(status), Reason::kGone);
}

TEST_F(ClientLoginTest, ASilentServerIsNotWaitedForLongerThanTheDeadline) {
  options_.deadline = Deadline(absl::Milliseconds(5));
  EXPECT_THAT(LogIn(kTestClient, kTestServer, options_, nullptr), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// A5: whoever took the path is turned away before it hears a word.
TEST_F(ClientLoginTest, AnImpostorHearsNoHello) {
  ServerApp other_user = kTestServer;
  other_user.app.gid = OwnCredentials().gid + 1;
  absl::Status status = LogInAs(other_user, [](FdView, const ReceivedFrame&) {}).status();
  EXPECT_THAT(status, StatusIs(kDenied, HasSubstr("app cacheSrv must be uid")));
  EXPECT_EQ(ReasonOf(status), Reason::kWrongUser);
  EXPECT_FALSE(said_hello_);

  ServerApp other_file = kTestServer;
  other_file.app.executable = "/bin/sh";
  status = LogInAs(other_file, [](FdView, const ReceivedFrame&) {}).status();
  EXPECT_THAT(status, StatusIs(kDenied, HasSubstr("app cacheSrv must run /bin/sh")));
  EXPECT_EQ(ReasonOf(status), Reason::kWrongExecutable);
  EXPECT_FALSE(said_hello_);
}

// The server dies in the login, is at a limit, and then takes the client in.
TEST_F(ClientLoginTest, WhoWaitsForTheServerTriesAgainWhereThatMayHelp) {
  const ScriptedTerms script;
  const std::string limit =
      Encode(Refusal{.code = absl::StatusCode::kResourceExhausted, .reason = Reason::kLimit, .text = "full"});
  options_.wait_for_server = true;
  std::thread peer([&] {
    for (int i = 0; i < 3; ++i) {
      Fd client = NextClient();
      ASSERT_OK(ReceiveFrame(client, PidFd(), TimeLimit()));
      if (i == 1) SendPacketOf(client, limit);
      if (i == 2) {
        SendPacketOf(client, WelcomeOf(script), script.descriptors);
        client_ = std::move(client);
      }
    }
  });
  EXPECT_OK(LogIn(kTestClient, kTestServer, options_, nullptr));
  peer.join();
}

// B5: too many logins at once are the server's business; the client stands in line, whatever its options say.
TEST_F(ClientLoginTest, AServerWithTooManyLoginsIsTriedAgain) {
  const ScriptedTerms script;
  const std::string busy =
      Encode(Refusal{.code = absl::StatusCode::kUnavailable, .reason = Reason::kLimit, .text = "busy"});
  std::thread peer([&] {
    for (int i = 0; i < 3; ++i) SendPacketOf(NextClient(), busy);
    client_ = NextClient();
    SendPacketOf(client_, WelcomeOf(script), script.descriptors);
  });
  EXPECT_OK(LogIn(kTestClient, kTestServer, options_, nullptr));
  peer.join();
}

TEST_F(ClientLoginTest, WhoWaitsForTheServerDoesNotArgueWithARefusal) {
  options_.wait_for_server = true;
  for (const auto& [code, reason] :
       {std::pair(kDenied, Reason::kNotListed), std::pair(absl::StatusCode::kFailedPrecondition, Reason::kWrongKind)}) {
    const OsTesting os;
    const absl::Status status = StatusAfter(Encode(Refusal{.code = code, .reason = reason, .text = "no"}));
    EXPECT_THAT(status, StatusIs(code));
    EXPECT_EQ(ReasonOf(status), reason);
    EXPECT_EQ(os.calls("Connect"), 1);
  }
}

TEST_F(ClientLoginTest, WhoWaitsInVainLearnsForWhat) {
  const std::string limit =
      Encode(Refusal{.code = absl::StatusCode::kResourceExhausted, .reason = Reason::kLimit, .text = "full"});
  options_.wait_for_server = true;
  // The server's word came once; later attempts find it silent until the deadline.
  options_.deadline = Deadline(absl::Seconds(1));
  std::thread peer([&] {
    const Fd client = NextClient();
    ASSERT_OK(ReceiveFrame(client, PidFd(), TimeLimit()));
    SendPacketOf(client, limit);
  });
  const absl::Status status = LogIn(kTestClient, kTestServer, options_, nullptr).status();
  peer.join();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded,
                               HasSubstr("connect app cacheCli to server cacheSrv: refused: full; ")));
  EXPECT_EQ(ReasonOf(status), Reason::kLimit);
}

// A6: between bind(2) and chmod(2) of a server that begins to listen.
TEST_F(ClientLoginTest, AModeThatIsAboutToBeSetKeepsNobodyOut) {
  const ScriptedTerms script;
  const auto welcome = [&](FdView client, const ReceivedFrame&) {
    SendPacketOf(client, WelcomeOf(script), script.descriptors);
  };
  {
    const OsTesting os({FailCall("Connect", EACCES)});
    EXPECT_OK(LogInTo(welcome));
    EXPECT_EQ(os.interventions(), 1);
  }
  const OsTesting os({FailCall("Connect", EACCES, {.times = kAlways})});
  options_.wait_for_server = true;
  EXPECT_THAT(LogIn(kTestClient, kTestServer, options_, nullptr), StatusIs(kDenied));
  EXPECT_EQ(os.interventions(), 2);
}

TEST_F(ClientLoginTest, ALongRunFolderIsNamedEarly) {
  options_.run_folder = "/" + std::string(100, 'x');
  EXPECT_THAT(LogIn(kTestClient, kTestServer, options_, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("choose a shorter run_folder")));
}

}  // namespace
}  // namespace ipc::testing
