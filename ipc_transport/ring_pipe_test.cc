#include "ipc_transport/ring_pipe.h"

#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/ring_handshake.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/pipe_conformance.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using ::testing::HasSubstr;
using testing::StatusIs;

absl::StatusOr<testing::PipePair> MakePair() {
  auto pair = RingPipe::CreatePair();
  if (!pair.ok()) return pair.status();
  return testing::PipePair(std::move(pair->first), std::move(pair->second));
}

absl::StatusOr<std::unique_ptr<Pipe>> MakeFromSocket(Fd socket) { return RingPipe::FromSocket(std::move(socket)); }

// R2, R3: each call in turn fails, until all pass; nothing is left behind.
TEST(RingPipeTest, FromSocketSurvivesEachFailingCall) {
  const testing::World before = testing::World::Now();
  for (const char* const function : {"MemfdCreate", "Open", "EventFd", "GetSockOpt", "SendMsg", "RecvMsg", "Ftruncate",
                                     "Mmap", "Munlock", "Madvise", "Mprotect", "Fcntl", "Fstat"}) {
    bool survived = false;
    for (int nth = 1; !survived; ++nth) {
      ASSERT_LT(nth, 20) << function;
      {
        auto [here, there] = testing::MakeSocketPair();
        ASSERT_OK_AND_ASSIGN(auto peer, internal::RingHandshake::Create(std::move(there), 4096));
        ASSERT_OK(peer.Send(testing::TimeLimit()));
        const testing::OsTesting os({testing::FailCall(function, EMFILE, {.first = nth})});
        const auto pipe = RingPipe::FromSocket(std::move(here), {}, Deadline::Passed());
        survived = os.interventions() == 0;
        EXPECT_EQ(pipe.ok(), survived) << function << " " << nth << ": " << pipe.status();
        EXPECT_TRUE(nth > 1 || !survived) << function << " is not called";
      }
      EXPECT_EQ(testing::World::Now(), before) << function << " " << nth;
    }
  }
}

// R2
TEST(RingPipeTest, SaysWhichLimitToRaise) {
  for (const char* const function : {"SocketPair", "MemfdCreate", "Open", "EventFd"}) {
    const testing::OsTesting os({testing::FailCall(function, EMFILE)});
    EXPECT_THAT(RingPipe::CreatePair(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
  }
}

TEST(RingPipeTest, FromSocketWaitsNoLongerThanTheDeadline) {
  auto [here, there] = testing::MakeSocketPair();
  EXPECT_THAT(RingPipe::FromSocket(std::move(here), {}, Deadline::Passed()),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(RingPipeTest, CountsHowItWaited) {
  ASSERT_OK_AND_ASSIGN(auto pair, RingPipe::CreatePair());
  auto& [a, b] = pair;
  EXPECT_THAT(b->WaitToReceive(Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  b->set_wait_mode(WaitMode::kSleep);
  EXPECT_THAT(b->WaitToReceive(Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(b->counters().received.sleeps, 2u);
  EXPECT_EQ(b->counters().received.spins, 0u);
  ASSERT_OK(a->Send({}));
  EXPECT_OK(b->WaitToReceive(Deadline::Passed()));
  EXPECT_EQ(b->counters().received.sleeps, 2u) << "what is there needs no wait";
}

TEST(RingPipeTest, RefusesBadOptions) {
  for (const size_t bytes : {size_t{0}, size_t{2048}, size_t{5000}, size_t{1} << 31}) {
    EXPECT_THAT(RingPipe::CreatePair({.ring_bytes = bytes}), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(RingPipeTest, RefusesAStreamSocket) {
  auto [here, there] = testing::MakeSocketPair(SOCK_STREAM);
  EXPECT_THAT(RingPipe::FromSocket(std::move(here)), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc

SLUICE_INSTANTIATE_PIPE_CONFORMANCE(Ring, {.create_pair = &ipc::MakePair,
                                           .from_socket = &ipc::MakeFromSocket,
                                           .points = {"ring.hello.sent", "ring.hello.received"}});
