#include "ipc_session/internal/server_login.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/frames.h"
#include "ipc_session/testing/fake_memory.h"
#include "ipc_session/testing/scripted_login.h"
#include "ipc_session/testing/universe.h"
#include "ipc_util/credentials.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ipc::internal::EncodeReady;
using ipc::internal::Identity;
using ipc::internal::ReceivedFrame;
using ipc::internal::Refusal;
using ipc::internal::ServerLogin;
using ipc::internal::ServerTerms;
using ipc::internal::SessionCore;
using ipc::internal::TryReceiveFrame;
using ipc::internal::Welcome;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

// One login against a client that follows a script, in one thread: nothing here waits.
class ServerLoginTest : public ::testing::Test {
 protected:
  void Start(Deadline deadline = Deadline::Never()) {
    int sockets[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    client_ = Fd(sockets[0]);
    ASSERT_OK_AND_ASSIGN(login_, ServerLogin::Start(Fd(sockets[1]), terms_, deadline));
  }

  // A login whose client sends `packet` first; its end, or OK when it goes on.
  absl::Status StatusAfter(const std::string& packet, const std::vector<Fd>& descriptors = {}) {
    Start();
    EXPECT_TRUE(SendPacketOf(client_, packet, descriptors));
    return login_->Step().status();
  }

  // What the client reads next.
  absl::StatusOr<std::variant<Welcome, Refusal>> Answer() {
    absl::StatusOr<std::optional<ReceivedFrame>> frame = TryReceiveFrame(client_);
    if (!frame.ok()) return frame.status();
    if (!frame->has_value()) return absl::NotFoundError("no answer");
    return ipc::internal::DecodeAnswer((*frame)->packet);
  }

  // The refusal that the client reads when the server's reason is `why`.
  Refusal RefusalAfter(const absl::Status& why) {
    login_->Refuse(why);
    const auto answer = Answer();
    EXPECT_OK(answer);
    return std::get<Refusal>(*answer);
  }

  // A login that has sent its welcome.
  void StartAndWelcome() {
    ASSERT_OK(StatusAfter(HelloOf(script_), script_.descriptors));
    ASSERT_OK_AND_ASSIGN(const auto answer, Answer());
    ASSERT_TRUE(std::holds_alternative<Welcome>(answer));
  }

  ServerTerms terms_ = {.app = "cacheSrv", .clients = {Identity(kTestClient)}, .session = {}, .memory = nullptr};
  const ScriptedTerms script_;
  const std::string own_executable_ = std::filesystem::read_symlink("/proc/self/exe");
  Fd client_;
  std::unique_ptr<ServerLogin> login_;
};

TEST_F(ServerLoginTest, StepByStepToASession) {
  terms_.session.channels = 2;
  terms_.session.metadata = "of the server";
  Start();
  EXPECT_THAT(login_->Step(), IsOkAndHolds(nullptr));
  EXPECT_TRUE(SendPacketOf(client_, HelloOf(script_), script_.descriptors));
  EXPECT_THAT(login_->Step(), IsOkAndHolds(nullptr));
  EXPECT_THAT(login_->Step(), IsOkAndHolds(nullptr));
  ASSERT_OK_AND_ASSIGN(const auto answer, Answer());
  const Welcome& welcome = std::get<Welcome>(answer);
  EXPECT_EQ(welcome.terms.channels, 2u);
  EXPECT_EQ(welcome.terms.metadata, "of the server");
  EXPECT_TRUE(SendPacketOf(client_, EncodeReady()));
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<SessionCore> core, login_->Step());
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(core->peer().app, "cacheCli");
  EXPECT_EQ(core->peer().credentials, OwnCredentials());
  EXPECT_EQ(core->channel_count(), 2);
}

// M4: of everything before the metadata.
TEST_F(ServerLoginTest, AnyFlippedBitOfAHelloIsHarmless) {
  const std::string good = HelloOf(script_);
  const World before = World::Now();
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bent = good;
    bent[bit / 8] = static_cast<char>(bent[bit / 8] ^ (1 << (bit % 8)));
    const absl::Status status = StatusAfter(bent, script_.descriptors);
    EXPECT_THAT(status.code(), AnyOf(absl::StatusCode::kOk, kDataLoss, kDenied, absl::StatusCode::kFailedPrecondition,
                                     absl::StatusCode::kCancelled))  // One bit makes it an inquiry.
        << "bit " << bit << ": " << status;
  }
  login_.reset();
  client_.Close();
  EXPECT_EQ(World::Now(), before);
}

// F12: descriptors of others fill the kernel's books for a while.
TEST_F(ServerLoginTest, AWelcomeWithoutRoomIsSentLater) {
  Start();
  EXPECT_TRUE(SendPacketOf(client_, HelloOf(script_), script_.descriptors));
  const OsTesting os({FailCall("SendMsg", ETOOMANYREFS, {.times = 2})});
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(login_->Step(), IsOkAndHolds(nullptr));
    EXPECT_THAT(Answer(), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_LT(login_->next_step().Remaining(), absl::Seconds(1));
  }
  EXPECT_THAT(login_->Step(), IsOkAndHolds(nullptr));
  EXPECT_EQ(login_->next_step().Remaining(), absl::InfiniteDuration());
  ASSERT_OK_AND_ASSIGN(const auto answer, Answer());
  EXPECT_TRUE(std::holds_alternative<Welcome>(answer));
  EXPECT_TRUE(SendPacketOf(client_, EncodeReady()));
  EXPECT_THAT(login_->Step(), IsOkAndHolds(Not(nullptr)));
}

// A5
TEST_F(ServerLoginTest, AnAppThatIsNotListed) {
  terms_.clients = {Identity(App{.name = "somebodyElse"})};
  const absl::Status status = StatusAfter(HelloOf(script_), script_.descriptors);
  EXPECT_THAT(status, StatusIs(kDenied, HasSubstr("app cacheCli is not in allowed_clients")));
  EXPECT_EQ(RefusalAfter(status), (Refusal{kDenied, Reason::kNotListed, "the app is not on the server's list"}));
}

// A1: the log has it all, the client only the class.
TEST_F(ServerLoginTest, AnotherUser) {
  terms_.clients = {Identity(App{.name = "cacheCli", .uid = 4321, .gid = 8765})};
  const absl::Status status = StatusAfter(HelloOf(script_), script_.descriptors);
  EXPECT_THAT(status, StatusIs(kDenied, HasSubstr("app cacheCli must be uid 4321 and gid 8765, but is pid")));
  EXPECT_EQ(RefusalAfter(status), (Refusal{kDenied, Reason::kWrongUser, "the app's uid or gid is not the universe's"}));
}

// A3: a hello claims another app's name; who it is, the kernel says.
TEST_F(ServerLoginTest, AClaimedNameOfAnotherUsersApp) {
  terms_.clients = {Identity(kTestClient), Identity(App{.name = "admin", .uid = geteuid() + 1})};
  const std::string hello =
      Encode(ipc::internal::Hello{.client_app = "admin", .server_app = "cacheSrv", .terms = script_.terms});
  const absl::Status status = StatusAfter(hello, script_.descriptors);
  EXPECT_THAT(status, StatusIs(kDenied, HasSubstr("app admin must be uid")));
  EXPECT_EQ(RefusalAfter(status), (Refusal{kDenied, Reason::kWrongUser, "the app's uid or gid is not the universe's"}));
}

// N2: before Linux 6.5 the client's process is found by its number, and watched all the same.
TEST_F(ServerLoginTest, WithoutPeerPidFdsTheProcessIsWatchedByItsNumber) {
  terms_.clients = {Identity(App{.name = "cacheCli", .executable = own_executable_})};
  terms_.session.executable_policy = ExecutablePolicy::kRequired;
  const OsTesting os({FailCall("GetSockOpt", ENOPROTOOPT, {.first = 2})});  // After the credentials.
  StartAndWelcome();
  EXPECT_EQ(os.interventions(), 1);
  EXPECT_EQ(os.calls("PidFdOpen"), 1);
  EXPECT_TRUE(SendPacketOf(client_, EncodeReady()));
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<SessionCore> core, login_->Step());
  ASSERT_NE(core, nullptr);
  EXPECT_TRUE(core->peer().process_watched);
}

// A2
TEST_F(ServerLoginTest, AnotherExecutable) {
  terms_.clients = {Identity(App{.name = "cacheCli", .executable = "/bin/sh"})};
  const absl::Status status = StatusAfter(HelloOf(script_), script_.descriptors);
  EXPECT_THAT(status, StatusIs(kDenied, HasSubstr("must run /bin/sh")));
  EXPECT_EQ(RefusalAfter(status),
            (Refusal{kDenied, Reason::kWrongExecutable, "the app's executable is not the universe's"}));
  terms_.session.executable_policy = ExecutablePolicy::kIgnore;
  EXPECT_OK(StatusAfter(HelloOf(script_), script_.descriptors));
}

// V2
TEST_F(ServerLoginTest, AnotherKindOfMemoryIsRefusedWithBothNamed) {
  terms_.memory = std::make_shared<FakeMemoryFactory>();
  const absl::Status status = StatusAfter(HelloOf(script_), script_.descriptors);
  const std::string text = "the server's sessions use classic memory, the client asks for heap";
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, text));
  EXPECT_EQ(RefusalAfter(status), (Refusal{absl::StatusCode::kFailedPrecondition, Reason::kWrongKind, text}));
}

// V1
TEST_F(ServerLoginTest, ADisjointVersionIsRefusedWithBothNamed) {
  std::string hello = HelloOf(script_);
  const uint16_t versions[] = {3, 4};
  std::memcpy(hello.data() + 12, versions, sizeof(versions));
  const absl::Status status = StatusAfter(hello, script_.descriptors);
  const Refusal refusal = RefusalAfter(status);
  EXPECT_EQ(refusal.code, absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refusal.reason, Reason::kWrongVersion);
  EXPECT_THAT(refusal.text, HasSubstr("the server speaks 1 to 1, the client 3 to 4"));
}

TEST_F(ServerLoginTest, AHelloToAnotherServer) {
  const std::string hello =
      Encode(ipc::internal::Hello{.client_app = "cacheCli", .server_app = "other", .terms = script_.terms});
  EXPECT_THAT(StatusAfter(hello, script_.descriptors), StatusIs(kDataLoss, HasSubstr("asks for server other")));
}

// M1
TEST_F(ServerLoginTest, RandomBytesInsteadOfAHello) {
  const World before = World::Now();
  for (unsigned seed = 0; seed < 1000; ++seed) {
    ASSERT_THAT(StatusAfter(RandomBytes(seed, 6000)), StatusIs(kDataLoss)) << seed;
  }
  EXPECT_EQ(RefusalAfter(absl::DataLossError("secret")).text, "the server does not understand the client");
  login_.reset();
  client_.Close();
  EXPECT_EQ(World::Now(), before);
}

// M1
TEST_F(ServerLoginTest, RandomBytesInsteadOfAReady) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    StartAndWelcome();
    ASSERT_TRUE(SendPacketOf(client_, RandomBytes(seed, 6000)));
    ASSERT_THAT(login_->Step(), StatusIs(kDataLoss)) << seed;
  }
}

// M2, M3
TEST_F(ServerLoginTest, TruncatedExtraAndOversizeHellos) {
  const std::string hello = HelloOf(script_);
  for (const std::string& packet : {hello.substr(0, 1), hello.substr(0, 12), hello.substr(0, hello.size() - 1),
                                    hello + "x", std::string(100000, 'x'), hello + std::string(100000, 'x')}) {
    EXPECT_THAT(StatusAfter(packet, script_.descriptors), StatusIs(kDataLoss)) << packet.size();
  }
}

// M3: a size of the metadata that is not what follows.
TEST_F(ServerLoginTest, ForgedSizesOfMetadata) {
  for (const uint32_t bytes : {uint32_t{1}, uint32_t{4096}, uint32_t{4097}, uint32_t{1} << 31, ~uint32_t{0}}) {
    std::string hello = HelloOf(script_);
    std::memcpy(hello.data() + 12 + 72 + 8, &bytes, sizeof(bytes));
    EXPECT_THAT(StatusAfter(hello, script_.descriptors), StatusIs(kDataLoss, HasSubstr("metadata"))) << bytes;
  }
}

// M5
TEST_F(ServerLoginTest, FramesOutOfTurn) {
  EXPECT_THAT(StatusAfter(EncodeReady()), StatusIs(kDataLoss));
  EXPECT_THAT(StatusAfter(Encode(Refusal())), StatusIs(kDataLoss));
  EXPECT_THAT(StatusAfter(Encode(Welcome{.terms = script_.terms}), script_.descriptors), StatusIs(kDataLoss));

  StartAndWelcome();
  EXPECT_TRUE(SendPacketOf(client_, HelloOf(script_), script_.descriptors));
  EXPECT_THAT(login_->Step(), StatusIs(kDataLoss));
  StartAndWelcome();
  EXPECT_TRUE(SendPacketOf(client_, EncodeReady(), script_.descriptors));
  EXPECT_THAT(login_->Step(), StatusIs(kDataLoss, HasSubstr("carries descriptors")));
}

// M5: what follows a ready is the session's, not the login's.
TEST_F(ServerLoginTest, GarbageAfterReadyEndsTheSession) {
  StartAndWelcome();
  EXPECT_TRUE(SendPacketOf(client_, EncodeReady()));
  EXPECT_TRUE(SendPacketOf(client_, HelloOf(script_)));
  ASSERT_OK_AND_ASSIGN(const auto core, login_->Step());
  ASSERT_NE(core, nullptr);
  EXPECT_THAT(core->status(), StatusIs(kDataLoss));
}

// D1, D2
TEST_F(ServerLoginTest, WrongDescriptorsAreRefusedAndClosed) {
  const std::vector<Fd> wrong = WrongDescriptors(script_.terms.outbox.bytes);
  const World before = World::Now();
  EXPECT_THAT(StatusAfter(HelloOf(script_)), StatusIs(kDataLoss));
  EXPECT_THAT(StatusAfter(HelloOf(script_), wrong), StatusIs(kDataLoss));
  for (const Fd& descriptor : wrong) {
    std::vector<Fd> one;
    one.push_back(*Duplicate(descriptor));
    EXPECT_THAT(StatusAfter(HelloOf(script_), one), StatusIs(kDataLoss));
  }
  login_.reset();
  client_.Close();
  EXPECT_EQ(World::Now(), before);
}

// V2
TEST_F(ServerLoginTest, AnOutboxWithoutRoomForTheServersWishIsToldSo) {
  ScriptedTerms few;
  const uint64_t room = few.terms.outbox.capacity();
  terms_.session.channels = static_cast<int>(room) + 1;
  terms_.session.ring_bytes = 4096;
  const absl::Status status = StatusAfter(HelloOf(few), few.descriptors);
  const std::string text =
      absl::StrCat("one side wants ", room + 1, " channels, the other's outbox_bytes have room for ", room);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, text));
  EXPECT_EQ(RefusalAfter(status), (Refusal{absl::StatusCode::kFailedPrecondition, Reason::kWrongLimits, text}));
}

// V2
TEST_F(ServerLoginTest, MoreChannelsThanTheServerHasAreRefused) {
  terms_.session.max_channels = 2;
  ScriptedTerms many;
  many.terms.channels = 3;
  const absl::Status status = StatusAfter(HelloOf(many), many.descriptors);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               "one side wants 3 channels, the other's max_channels is 2"));
}

TEST_F(ServerLoginTest, ASilentClientIsToldThatItIsLate) {
  Start(Deadline::Passed());
  const absl::Status status = login_->Step().status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded, "no hello came in time"));
  EXPECT_EQ(RefusalAfter(status).code, absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ServerLoginTest, AClientThatGoesIsGone) {
  Start();
  client_.Close();
  EXPECT_EQ(ReasonOf(login_->Step().status()), Reason::kGone);
  login_->Refuse(absl::UnavailableError("gone"));
  StartAndWelcome();
  client_.Close();
  EXPECT_EQ(ReasonOf(login_->Step().status()), Reason::kGone);
}

TEST_F(ServerLoginTest, TheServersOwnTroubleIsTheServersBusiness) {
  Start();
  EXPECT_EQ(RefusalAfter(absl::ResourceExhaustedError("secret")),
            (Refusal{absl::StatusCode::kResourceExhausted, Reason::kLimit, "the server is at a limit"}));
  EXPECT_EQ(RefusalAfter(absl::InternalError("secret")),
            (Refusal{absl::StatusCode::kUnavailable, Reason::kNone, "the server could not open the session"}));
}

TEST_F(ServerLoginTest, DescribesTheClientForTheLog) {
  Start();
  EXPECT_EQ(login_->description(), absl::StrCat("a client (", ToString(OwnCredentials()), ")"));
  StartAndWelcome();
  EXPECT_EQ(login_->description(), absl::StrCat("app cacheCli (", ToString(OwnCredentials()), ")"));
}

}  // namespace
}  // namespace ipc::testing
