// What a listener meets: floods, silence, noise, and too few descriptors.

#include "ipc_transport/internal/handshake_set.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/log.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::AcceptedSocket;
using ::ipc::internal::HandshakeSet;
using ::ipc::internal::SocketHello;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Lines : public LogSink {
 public:
  void Write(LogLevel, absl::string_view text) override { lines.emplace_back(text); }

  std::vector<std::string> lines;
};

class HandshakeSetTest : public ::testing::Test {
 protected:
  HandshakeSetTest() { SetLogSink(&log_); }
  ~HandshakeSetTest() override { ResetLogSink(); }

  std::unique_ptr<HandshakeSet> Listen(const HandshakeSet::Limits& limits) {
    absl::StatusOr<Fd> listener = ipc::internal::ListenAt(path_, 0600, /*backlog=*/500);
    EXPECT_OK(listener);
    auto set = HandshakeSet::Create(*std::move(listener), "the door", {.max_message_bytes = 1000}, limits);
    EXPECT_OK(set);
    return *std::move(set);
  }

  // A client that says `bytes` and no more.
  Fd Connect(const std::vector<uint8_t>& bytes = {}) {
    absl::StatusOr<Fd> client = ipc::internal::ConnectToListener(path_, TimeLimit());
    EXPECT_OK(client);
    if (!bytes.empty()) {
      EXPECT_EQ(send(client->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    return *std::move(client);
  }

  Fd ConnectHonestly() {
    const SocketHello hello = {.max_message_bytes = 1000};
    const auto* const begin = reinterpret_cast<const uint8_t*>(&hello);
    return Connect({begin, begin + sizeof(hello)});
  }

  // One turn of an event loop. False: nothing became ready in time.
  bool WaitFor(const HandshakeSet& set, absl::Duration timeout = TimeLimit()) {
    pollfd poll_fd = {.fd = set.fd().get(), .events = POLLIN, .revents = 0};
    return poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) == 1;
  }

  // The next client, by an event loop.
  std::optional<AcceptedSocket> Take(HandshakeSet& set) {
    while (WaitFor(set)) {
      absl::StatusOr<std::optional<AcceptedSocket>> taken = set.TryTake();
      EXPECT_OK(taken);
      if (!taken.ok() || taken->has_value()) return *std::move(taken);
    }
    return std::nullopt;
  }

  // Whether the other end of `client` is closed, the hello apart.
  static bool IsDropped(const Fd& client) {
    char bytes[100];
    ssize_t got;
    do {
      got = recv(client.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    } while (got > 0 || (got < 0 && errno == ECONNRESET));
    return got == 0;
  }

  const TempDir folder_;
  const std::string path_ = folder_.path() + "/socket";
  Lines log_;
};

// B5
TEST_F(HandshakeSetTest, AFloodDoesNotKeepAGoodClientOut) {
  const World before = World::Now();
  {
    const std::unique_ptr<HandshakeSet> set = Listen({.pending = 64, .timeout = absl::Hours(1)});
    std::vector<Fd> bad;
    for (int i = 0; i < 200; ++i) {
      bad.push_back(Connect());
      bad.push_back(Connect({'S'}));
    }
    const Fd good = ConnectHonestly();
    const std::optional<AcceptedSocket> taken = Take(*set);
    ASSERT_TRUE(taken.has_value());
    EXPECT_FALSE(IsDropped(good));
    int dropped = 0;
    for (const Fd& client : bad) dropped += IsDropped(client);
    EXPECT_GE(dropped, 400 - 64);
    EXPECT_THAT(log_.lines, SizeIs(dropped));
  }
  EXPECT_EQ(World::Now(), before);
}

// M1, P1
TEST_F(HandshakeSetTest, NoiseIsDroppedAndLoggedByWhoNotWhat) {
  const std::unique_ptr<HandshakeSet> set = Listen({.pending = 4, .timeout = absl::Hours(1)});
  for (uint32_t seed = 0; seed < 100; ++seed) {
    std::minstd_rand random(seed + 1);
    std::vector<uint8_t> noise(1 + random() % 200);
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random() >> 8);
    const Fd client = Connect(noise);
    EXPECT_TRUE(WaitFor(*set));
    EXPECT_THAT(set->TryTake(), IsOkAndHolds(Eq(std::nullopt)));
    EXPECT_TRUE(IsDropped(client));
  }
  EXPECT_THAT(log_.lines, SizeIs(100));
  EXPECT_THAT(log_.lines, Each(AllOf(HasSubstr("the door"), HasSubstr("pid "), HasSubstr("uid "))));
}

TEST_F(HandshakeSetTest, WhoSaysNothingInTimeIsDropped) {
  const std::unique_ptr<HandshakeSet> set = Listen({.pending = 4, .timeout = absl::Milliseconds(1)});
  const Fd client = Connect();
  while (!IsDropped(client)) {
    ASSERT_TRUE(WaitFor(*set));
    EXPECT_THAT(set->TryTake(), IsOkAndHolds(Eq(std::nullopt)));
  }
  EXPECT_THAT(log_.lines, SizeIs(1));
  EXPECT_FALSE(WaitFor(*set, absl::ZeroDuration()));
}

TEST_F(HandshakeSetTest, WhoGoesAwayIsDropped) {
  const std::unique_ptr<HandshakeSet> set = Listen({.pending = 4, .timeout = absl::Hours(1)});
  Fd client = Connect();
  EXPECT_TRUE(WaitFor(*set));
  EXPECT_THAT(set->TryTake(), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_FALSE(WaitFor(*set, absl::ZeroDuration()));
  client.Close();
  EXPECT_TRUE(WaitFor(*set));
  EXPECT_THAT(set->TryTake(), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_THAT(log_.lines, SizeIs(1));
  EXPECT_FALSE(WaitFor(*set, absl::ZeroDuration()));
}

// P1: a forked child's copy of a dropped client's socket makes nothing ready.
TEST_F(HandshakeSetTest, AForkedChildDoesNotMakeItSpin) {
  const std::unique_ptr<HandshakeSet> set = Listen({.pending = 4, .timeout = absl::Hours(1)});
  const Fd client = Connect();
  EXPECT_THAT(set->TryTake(), IsOkAndHolds(Eq(std::nullopt)));
  const pid_t child = fork();
  if (child == 0) {
    while (true) pause();
  }
  ASSERT_EQ(send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
  EXPECT_TRUE(WaitFor(*set));
  EXPECT_THAT(set->TryTake(), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_THAT(log_.lines, SizeIs(1));
  // What it sends now lies in a socket that only the child has.
  ASSERT_EQ(send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
  EXPECT_FALSE(WaitFor(*set, absl::ZeroDuration()));
  kill(child, SIGKILL);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

// A client that speaks late is served when it speaks.
TEST_F(HandshakeSetTest, NobodyIsDelayedByAnother) {
  const std::unique_ptr<HandshakeSet> set = Listen({.pending = 4, .timeout = absl::Hours(1)});
  const Fd late = Connect();
  EXPECT_THAT(set->TryTake(), IsOkAndHolds(Eq(std::nullopt)));
  const Fd early = ConnectHonestly();
  ASSERT_TRUE(Take(*set).has_value());
  const SocketHello hello = {.max_message_bytes = 10};
  ASSERT_EQ(send(late.get(), &hello, sizeof(hello), 0), static_cast<ssize_t>(sizeof(hello)));
  const std::optional<AcceptedSocket> taken = Take(*set);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->handshake.terms().max_message_bytes, 10u);
  EXPECT_TRUE(taken->process.valid());
}

// F19, R2
TEST_F(HandshakeSetTest, WithoutDescriptorsItDoesNotSpin) {
  const std::unique_ptr<HandshakeSet> set = Listen({.pending = 4, .timeout = absl::Hours(1)});
  const Fd client = ConnectHonestly();
  {
    const OsTesting os({FailCall("Accept", EMFILE, {.times = kAlways})});
    const absl::Time begin = absl::Now();
    int refused = 0;
    // It is ready at first, and then no sooner than there is something to try again.
    for (; refused < 5; ++refused) {
      ASSERT_TRUE(WaitFor(*set));
      EXPECT_THAT(set->TryTake(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
    }
    EXPECT_EQ(os.calls("Accept"), refused);
    EXPECT_LE(refused, 1 + (absl::Now() - begin) / HandshakeSet::kPause);
    // Not even when it is asked all the time.
    while (set->TryTake().ok()) {
    }
    EXPECT_EQ(os.calls("Accept"), refused + 1);
  }
  // And the client is still there.
  EXPECT_TRUE(Take(*set).has_value());
}

// R2: a client for whose process there is no descriptor waits, too.
TEST_F(HandshakeSetTest, WithoutADescriptorForItsProcessAClientWaits) {
  const World before = World::Now();
  {
    const std::unique_ptr<HandshakeSet> set = Listen({.pending = 4, .timeout = absl::Hours(1)});
    const Fd client = ConnectHonestly();
    {
      const OsTesting os({FailCall("GetSockOpt", EMFILE)});
      EXPECT_THAT(set->TryTake(), StatusIs(absl::StatusCode::kResourceExhausted));
      EXPECT_EQ(os.interventions(), 1);
    }
    const std::optional<AcceptedSocket> taken = Take(*set);
    EXPECT_TRUE(taken.has_value());
    EXPECT_FALSE(IsDropped(client));
  }
  EXPECT_EQ(World::Now(), before);
}

// R2
TEST_F(HandshakeSetTest, WhoCannotBeWatchedIsDropped) {
  const std::unique_ptr<HandshakeSet> set = Listen({.pending = 4, .timeout = absl::Hours(1)});
  const Fd client = Connect();
  const OsTesting os({FailCall("EpollCtl", ENOSPC)});
  EXPECT_THAT(set->TryTake(), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_TRUE(IsDropped(client));
}

// F27
TEST_F(HandshakeSetTest, GoesOnAfterInterruptions) {
  const std::unique_ptr<HandshakeSet> set = Listen({.pending = 4, .timeout = absl::Hours(1)});
  const OsTesting os({FailCall("Accept", EINTR, {.times = 3}), FailCall("RecvMsg", EINTR, {.times = 3}),
                      FailCall("EpollWait", EINTR, {.times = 3}), FailCall("SendMsg", EINTR, {.times = 3})});
  const Fd client = ConnectHonestly();
  EXPECT_TRUE(Take(*set).has_value());
}

}  // namespace
}  // namespace ipc::testing
