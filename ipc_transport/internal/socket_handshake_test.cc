#include "ipc_transport/internal/socket_handshake.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/testing/raw_peer.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::SocketHandshake;
using ::ipc::internal::SocketHello;
using ::ipc::internal::SocketTerms;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr int kTypes[] = {SOCK_SEQPACKET, SOCK_STREAM};

SocketHandshake Make(Fd socket, const SocketTerms& terms = {.max_message_bytes = 1000}) {
  absl::StatusOr<SocketHandshake> handshake = SocketHandshake::Create(std::move(socket), terms);
  EXPECT_OK(handshake);
  return *std::move(handshake);
}

// What a peer that sends `bytes`, and then nothing, makes of a handshake.
absl::Status Meet(int type, const std::vector<uint8_t>& bytes, size_t descriptors = 0) {
  RawPeer peer(type);
  SocketHandshake handshake = Make(peer.TakeOther());
  peer.Send(bytes, descriptors);
  return handshake.Run(Deadline::Passed());
}

std::vector<uint8_t> BytesOf(const SocketHello& hello) {
  std::vector<uint8_t> bytes(sizeof(hello));
  std::memcpy(bytes.data(), &hello, sizeof(hello));
  return bytes;
}

SLUICE_CHILD_ROLE(handshake_peer) {
  SocketHandshake handshake = Make(InheritedFd());
  TellParent(handshake.Run(TimeLimit()).ToString());
  return 0;
}

TEST(SocketHandshakeTest, BothTakeTheSmallerLimit) {
  for (const int type : kTypes) {
    auto [here, there] = MakeSocketPair(type);
    SocketHandshake first = Make(std::move(here), {.max_message_bytes = 1000});
    SocketHandshake second = Make(std::move(there), {.max_message_bytes = 300});
    EXPECT_THAT(first.Advance(), IsOkAndHolds(false));
    EXPECT_THAT(second.Advance(), IsOkAndHolds(true));
    EXPECT_THAT(first.Advance(), IsOkAndHolds(true));
    EXPECT_EQ(first.terms().max_message_bytes, 300u);
    EXPECT_EQ(second.terms().max_message_bytes, 300u);
    EXPECT_EQ(first.is_stream(), type == SOCK_STREAM);
  }
}

// V1
TEST(SocketHandshakeTest, VersionsMustOverlap) {
  for (const int type : kTypes) {
    EXPECT_OK(Meet(type, BytesOf({.oldest_version = 0, .newest_version = 1, .max_message_bytes = 1})));
    EXPECT_OK(Meet(type, BytesOf({.oldest_version = 1, .newest_version = 999, .max_message_bytes = 1})));
    const absl::Status newer = Meet(type, BytesOf({.oldest_version = 700, .newest_version = 999}));
    EXPECT_THAT(newer,
                StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("1 to 1"), HasSubstr("700 to 999"))));
    EXPECT_EQ(ReasonOf(newer), Reason::kWrongVersion);
    EXPECT_EQ(ReasonOf(Meet(type, BytesOf({.oldest_version = 0, .newest_version = 0}))), Reason::kWrongVersion);
  }
}

// V1: the side that came too late to send its own learns why.
TEST(SocketHandshakeTest, APeerThatWentHasSaidWhy) {
  for (const int type : kTypes) {
    RawPeer peer(type);
    peer.SendHello({.oldest_version = 700, .newest_version = 999});
    peer.Close();
    EXPECT_EQ(ReasonOf(Make(peer.TakeOther()).Run(TimeLimit())), Reason::kWrongVersion);
  }
}

TEST(SocketHandshakeTest, FeaturesOfTheFutureAreNoObstacle) {
  for (const int type : kTypes) {
    EXPECT_OK(Meet(type, BytesOf({.max_message_bytes = ~uint64_t{0}, .flags = ~uint32_t{0}, .reserved = 7})));
  }
}

// M1, M5, D1
TEST(SocketHandshakeTest, AnythingElseIsDataLoss) {
  const std::vector<uint8_t> honest = BytesOf({.max_message_bytes = 1});
  for (const int type : kTypes) {
    EXPECT_THAT(Meet(type, BytesOf({.magic = 1, .max_message_bytes = 1})), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_THAT(Meet(type, BytesOf({.max_message_bytes = 0})), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_THAT(Meet(type, BytesOf({.oldest_version = 3, .newest_version = 2})), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_THAT(Meet(type, honest, /*descriptors=*/1), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_THAT(Meet(type, {'G'}), StatusIs(absl::StatusCode::kDataLoss));
  }
  std::vector<uint8_t> longer = honest;
  longer.push_back(0);
  EXPECT_THAT(Meet(SOCK_SEQPACKET, longer), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Meet(SOCK_SEQPACKET, {honest.begin(), honest.end() - 1}), StatusIs(absl::StatusCode::kDataLoss));
  // In a stream the rest may come, and what follows is a frame.
  EXPECT_OK(Meet(SOCK_STREAM, longer));
  EXPECT_THAT(Meet(SOCK_STREAM, {honest.begin(), honest.end() - 1}), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// M1
TEST(SocketHandshakeTest, NoiseIsRefused) {
  const World before = World::Now();
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    std::minstd_rand random(seed + 1);
    std::vector<uint8_t> noise(1 + random() % 100);
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random() >> 8);
    for (const int type : kTypes) {
      EXPECT_THAT(Meet(type, noise),
                  AnyOf(StatusIs(absl::StatusCode::kDataLoss), StatusIs(absl::StatusCode::kDeadlineExceeded)))
          << seed;
    }
  }
  EXPECT_EQ(World::Now(), before);
}

// M2, F27
TEST(SocketHandshakeTest, AStreamMayComeByteByByte) {
  auto [here, there] = MakeSocketPair(SOCK_STREAM);
  const OsTesting os({CutCall("SendMsg", 1, {.times = kAlways}), CutCall("RecvMsg", 1, {.times = kAlways}),
                      FailCall("RecvMsg", EINTR, {.times = kAlways, .every = 2})});
  SocketHandshake first = Make(std::move(here), {.max_message_bytes = 1000});
  SocketHandshake second = Make(std::move(there), {.max_message_bytes = 300});
  EXPECT_THAT(first.Advance(), IsOkAndHolds(false));
  EXPECT_OK(second.Run(TimeLimit()));
  EXPECT_OK(first.Run(TimeLimit()));
  EXPECT_EQ(first.terms().max_message_bytes, 300u);
  EXPECT_GT(os.interventions(), 100);
}

TEST(SocketHandshakeTest, ASideThatMindsSilenceNeedsOneThatSpeaks) {
  constexpr absl::Duration kShort = absl::Milliseconds(10);
  const struct {
    absl::Duration idle_timeout;
    absl::Duration keep_alive_period;
    bool agree;
  } cases[] = {{absl::ZeroDuration(), kShort, true},
               {2 * kShort, kShort, true},
               {kShort, kShort, false},
               {kShort, absl::ZeroDuration(), false}};
  for (const auto& [idle_timeout, keep_alive_period, agree] : cases) {
    auto [here, there] = MakeSocketPair();
    SocketHandshake minding = Make(std::move(here), {.max_message_bytes = 1, .idle_timeout = idle_timeout});
    SocketHandshake speaking = Make(std::move(there), {.max_message_bytes = 1, .keep_alive_period = keep_alive_period});
    EXPECT_OK(minding.Advance());
    const absl::Status second = speaking.Run(TimeLimit());
    const absl::Status first = minding.Run(TimeLimit());
    EXPECT_EQ(first.ok(), agree);
    EXPECT_EQ(second.ok(), agree);
    if (agree) continue;
    EXPECT_THAT(first,
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr("this side has an idle_timeout of 10 ms"), HasSubstr("keep_alive_period"))));
    EXPECT_THAT(second, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the peer has an idle_timeout")));
  }
}

// B3
TEST(SocketHandshakeTest, AStoppedPeerIsNotWaitedForLongerThanAsked) {
  for (const int type : kTypes) {
    auto [here, there] = MakeSocketPair(type);
    Child child = Child::Start("handshake_peer", {},
                               {.environment = {OsEnvironment({StopAt("socket.hello.sent")})}, .inherited = there});
    there.Close();
    child.WaitUntilStopped();
    // Its hello has come, but it does not go on; this side is done without that.
    EXPECT_OK(Make(std::move(here)).Run(TimeLimit()));
    auto [silent, keeps] = MakeSocketPair(type);
    EXPECT_THAT(Make(std::move(silent)).Run(absl::Milliseconds(1)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  }
}

// K1
TEST(SocketHandshakeTest, APeerThatIsKilledOnTheWayIsGone) {
  for (const int type : kTypes) {
    for (const char* const point : {"socket.hello.sent", "socket.hello.received"}) {
      auto [here, there] = MakeSocketPair(type);
      Child child =
          Child::Start("handshake_peer", {}, {.environment = {OsEnvironment({KillAt(point)})}, .inherited = there});
      there.Close();
      SocketHandshake handshake = Make(std::move(here));
      // It has said all that it had to say.
      EXPECT_OK(handshake.Run(TimeLimit())) << point;
      EXPECT_EQ(child.Wait(), -SIGKILL);
    }
    auto [here, there] = MakeSocketPair(type);
    there.Close();
    const absl::Status gone = Make(std::move(here)).Run(TimeLimit());
    EXPECT_THAT(gone, StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_EQ(ReasonOf(gone), Reason::kGone);
  }
}

TEST(SocketHandshakeTest, TakesConnectedUnixSocketsOnly) {
  const SocketTerms terms = {.max_message_bytes = 1};
  for (const auto& [domain, type] : {std::pair(AF_INET, SOCK_STREAM), std::pair(AF_UNIX, SOCK_DGRAM)}) {
    EXPECT_THAT(SocketHandshake::Create(Fd(socket(domain, type | SOCK_CLOEXEC, 0)), terms),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Fd other(ends[1]);
  EXPECT_THAT(SocketHandshake::Create(Fd(ends[0]), terms), StatusIs(absl::StatusCode::kInvalidArgument));
  SocketHandshake unconnected = Make(Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  EXPECT_THAT(unconnected.Run(TimeLimit()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not connected")));
}

}  // namespace
}  // namespace ipc::testing
