// Keep-alive and silence (T8).

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_transport/testing/raw_peer.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

constexpr int kTypes[] = {SOCK_SEQPACKET, SOCK_STREAM};

const std::vector<uint8_t> kKeepAlive = {4, 0, 0, 0, 0, 0, 0, 0};
const std::vector<uint8_t> kFrame = {1, 0, 0, 0, 2, 0, 0, 0, 'h', 'i'};
const std::vector<uint8_t> kFinish = {2, 0, 0, 0, 0, 0, 0, 0};

// Returns once `pipe` wants its timer run.
void WaitForTimer(const SocketPipe& pipe) {
  ASSERT_FALSE(pipe.NextTimer().never());
  absl::SleepFor(pipe.NextTimer().Remaining());
  while (!pipe.NextTimer().HasPassed()) {
  }
}

// Runs the timer of `pipe` until that ends it.
absl::Status RunUntilTheEnd(SocketPipe& pipe) {
  const Deadline limit = TimeLimit();
  absl::Status status;
  while (status.ok() && !limit.HasPassed()) {
    WaitForTimer(pipe);
    status = pipe.RunTimer();
  }
  return status;
}

// A peer that says that it is alive, and waits in its pipe until it is told to end.
SLUICE_CHILD_ROLE(living_peer) {
  absl::StatusOr<std::unique_ptr<SocketPipe>> pipe =
      SocketPipe::FromSocket(InheritedFd(), {.keep_alive_period = absl::Milliseconds(10)}, TimeLimit());
  if (!pipe.ok()) return 1;
  TellParent("here");
  Bytes buffer(100);
  return absl::IsUnavailable((*pipe)->Receive(absl::MakeSpan(buffer), nullptr, Deadline::Never()).status()) ? 0 : 2;
}

struct PipeWithChild {
  std::unique_ptr<SocketPipe> pipe;
  Child child;
};
PipeWithChild MakePipeWithChild(int type, absl::Duration idle_timeout) {
  auto [here, there] = MakeSocketPair(type);
  Child child = Child::Start("living_peer", {}, {.environment = {}, .inherited = there});
  there.Close();
  auto pipe = SocketPipe::FromSocket(std::move(here), {.idle_timeout = idle_timeout}, TimeLimit());
  EXPECT_OK(pipe);
  EXPECT_EQ(child.Hear(), "here");
  return {*std::move(pipe), std::move(child)};
}

TEST(SocketPipeKeepAliveTest, IsOffByDefault) {
  ASSERT_OK_AND_ASSIGN(const auto pair, SocketPipe::CreatePair());
  EXPECT_TRUE(pair.first->NextTimer().never());
  EXPECT_OK(pair.first->RunTimer());
}

TEST(SocketPipeKeepAliveTest, RefusesBadPeriods) {
  for (const absl::Duration bad :
       {-absl::Seconds(1), absl::Microseconds(999), absl::Hours(24) + absl::Seconds(1), absl::InfiniteDuration()}) {
    EXPECT_THAT(SocketPipe::Check({.keep_alive_period = bad}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("keep_alive_period")));
    EXPECT_THAT(SocketPipe::Check({.idle_timeout = bad}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("idle_timeout")));
  }
  EXPECT_OK(SocketPipe::Check({.keep_alive_period = absl::Milliseconds(1), .idle_timeout = absl::Hours(24)}));
  EXPECT_THAT(SocketPipe::CreatePair({.keep_alive_period = absl::Seconds(2), .idle_timeout = absl::Seconds(2)}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

// B3, B4
TEST(SocketPipeKeepAliveTest, AStoppedPeerIsSilent) {
  for (const int type : kTypes) {
    auto [pipe, child] = MakePipeWithChild(type, absl::Milliseconds(200));
    child.Stop();
    Bytes buffer(100);
    const absl::Status end = pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status();
    EXPECT_THAT(end, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("200ms")));
    EXPECT_EQ(ReasonOf(end), Reason::kSilent);
    EXPECT_EQ(ReasonOf(pipe->TrySend({}).status()), Reason::kSilent);
    EXPECT_EQ(ReasonOf(pipe->RunTimer()), Reason::kSilent);
    EXPECT_TRUE(pipe->NextTimer().never());
    child.Continue();
    EXPECT_EQ(child.Wait(), 0);
  }
}

TEST(SocketPipeKeepAliveTest, APeerThatWaitsInItsPipeIsAlive) {
  const absl::Duration idle_timeout = absl::Seconds(1) * kSlowness;
  auto [pipe, child] = MakePipeWithChild(SOCK_SEQPACKET, idle_timeout);
  Bytes buffer(100);
  EXPECT_THAT(pipe->Receive(absl::MakeSpan(buffer), nullptr, idle_timeout * 1.5),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  pipe->Close();
  EXPECT_EQ(child.Wait(), 0);
}

TEST(SocketPipeKeepAliveTest, WhatWasSentBeforeTheSilenceIsReceivedFirst) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type, {.idle_timeout = absl::Milliseconds(2)});
    peer.Send(kFrame);
    peer.Send(kKeepAlive);
    Bytes buffer(100);
    EXPECT_THAT(pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOkAndHolds(2u));
    EXPECT_EQ(ReasonOf(pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status()), Reason::kSilent);
  }
}

// A message that nobody has received yet is no silence of the peer's.
TEST(SocketPipeKeepAliveTest, AnUnreadMessageIsNoSilence) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type, {.idle_timeout = absl::Milliseconds(2)});
    peer.Send(kFrame);
    for (int i = 0; i < 5; ++i) {
      WaitForTimer(*pipe);
      EXPECT_OK(pipe->RunTimer());
    }
    Bytes buffer(100);
    EXPECT_THAT(pipe->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(2u));
    EXPECT_EQ(ReasonOf(RunUntilTheEnd(*pipe)), Reason::kSilent);
  }
}

// A program that only sends takes the peer's keep-alives off the socket.
TEST(SocketPipeKeepAliveTest, KeepAlivesDoNotPileUp) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type, {.idle_timeout = absl::Milliseconds(2)});
    for (int round = 0; round < 3; ++round) {
      WaitForTimer(*pipe);
      for (int i = 0; i < 20; ++i) peer.Send(kKeepAlive);
      EXPECT_OK(pipe->RunTimer());
      int unread = -1;
      ASSERT_EQ(ioctl(peer.socket().get(), SIOCOUTQ, &unread), 0);
      EXPECT_EQ(unread, 0);
    }
  }
}

TEST(SocketPipeKeepAliveTest, KeepAlivesAreNoMessages) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type);
    for (int i = 0; i < 200; ++i) peer.Send(kKeepAlive);
    Bytes buffer(100);
    EXPECT_THAT(pipe->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(Eq(std::nullopt)));
    // However many come before a message, a refusal says that there is none: an event loop relies on it.
    for (int i = 0; i < 200; ++i) peer.Send(kKeepAlive);
    peer.Send(kFrame);
    EXPECT_THAT(pipe->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(2u));
  }
}

TEST(SocketPipeKeepAliveTest, AWaitingSideSaysThatItIsAlive) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type, {.keep_alive_period = absl::Milliseconds(1)});
    std::thread waiting([&pipe = pipe] {
      Bytes buffer(100);
      EXPECT_THAT(pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOkAndHolds(2u));
    });
    const Deadline limit = TimeLimit();
    for (int heard = 0; heard < 3 && !limit.HasPassed();) {
      const std::vector<uint8_t> frame = peer.Receive(kKeepAlive.size());
      if (frame.empty()) continue;
      EXPECT_EQ(frame, kKeepAlive);
      ++heard;
    }
    peer.Send(kFrame);
    waiting.join();
  }
}

TEST(SocketPipeKeepAliveTest, AnEventLoopSaysThatItIsAliveByItsTimer) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type, {.keep_alive_period = absl::Milliseconds(1)});
    for (int i = 0; i < 3; ++i) {
      WaitForTimer(*pipe);
      EXPECT_OK(pipe->RunTimer());
      EXPECT_EQ(peer.Receive(), kKeepAlive);
    }
    // Also when it has no more to say.
    ASSERT_OK(pipe->FinishSending());
    EXPECT_EQ(peer.Receive(), kFinish);
    WaitForTimer(*pipe);
    EXPECT_OK(pipe->RunTimer());
    EXPECT_EQ(peer.Receive(), kKeepAlive);
    pipe->Close();
    EXPECT_TRUE(pipe->NextTimer().never());
    EXPECT_THAT(pipe->RunTimer(), StatusIs(absl::StatusCode::kCancelled));
  }
}

// Who has said something need not say that he is alive.
TEST(SocketPipeKeepAliveTest, AMessageMovesTheTimer) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type, {.keep_alive_period = absl::Hours(1)});
    const Deadline before = pipe->NextTimer();
    absl::SleepFor(absl::Milliseconds(20));
    ASSERT_OK(pipe->Send(Bytes(1)));
    const absl::Duration after = pipe->NextTimer().Remaining();
    EXPECT_GE(after - before.Remaining(), absl::Milliseconds(20));
  }
}

// A sender that waits for room finds out, too.
TEST(SocketPipeKeepAliveTest, ASenderFindsThePeerSilent) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type, {.idle_timeout = absl::Milliseconds(20)});
    absl::Status end;
    while (end.ok()) end = pipe->Send(Bytes(10'000), {}, TimeLimit());
    EXPECT_EQ(ReasonOf(end), Reason::kSilent);
  }
}

// T7, T8: after the peer's finish its keep-alives count, its goodbye is heard, and nothing else may come.
TEST(SocketPipeKeepAliveTest, AfterAFinishThePeerIsStillHeard) {
  for (const int type : kTypes) {
    const std::vector<uint8_t> goodbye = {3, 0, 0, 0, 0, 0, 0, 0};
    for (const std::vector<uint8_t>& last : {goodbye, kFrame, kFinish}) {
      auto [pipe, peer] = MakePipeWithRawPeer(type, {.idle_timeout = absl::Milliseconds(2)});
      peer.Send(kFinish);
      Bytes buffer(100);
      EXPECT_THAT(pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), StatusIs(absl::StatusCode::kOutOfRange));
      for (int i = 0; i < 3; ++i) {
        peer.Send(kKeepAlive);
        WaitForTimer(*pipe);
        EXPECT_OK(pipe->RunTimer());
        WaitForTimer(*pipe);
        peer.Send(kKeepAlive);
        EXPECT_OK(pipe->RunTimer());
      }
      peer.Send(last);
      const absl::Status end = RunUntilTheEnd(*pipe);
      EXPECT_EQ(end.code(), last == goodbye ? absl::StatusCode::kUnavailable : absl::StatusCode::kDataLoss);
      EXPECT_EQ(ReasonOf(end), last == goodbye ? Reason::kGoodbye : Reason::kNone);
    }
  }
}

// K4: half a message, and then nothing.
TEST(SocketPipeKeepAliveTest, HalfAMessageAndThenNothingIsSilence) {
  auto [pipe, peer] = MakePipeWithRawPeer(SOCK_STREAM, {.idle_timeout = absl::Milliseconds(5)});
  peer.Send({kFrame.begin(), kFrame.end() - 1});
  Bytes buffer(100);
  EXPECT_EQ(ReasonOf(pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status()), Reason::kSilent);
}

// Both threads of a side wait, and say that it is alive, while messages go both ways; none is torn.
TEST(SocketPipeKeepAliveTest, BothThreadsOfASideMaySpeak) {
  for (const int type : kTypes) {
    const SocketPipeOptions options = {.keep_alive_period = absl::Milliseconds(1), .idle_timeout = absl::Minutes(10)};
    auto [here, there] = MakeSocketPair(type);
    absl::StatusOr<std::unique_ptr<SocketPipe>> first;
    std::thread other([&, &here = here] { first = SocketPipe::FromSocket(std::move(here), options, TimeLimit()); });
    absl::StatusOr<std::unique_ptr<SocketPipe>> second = SocketPipe::FromSocket(std::move(there), options, TimeLimit());
    other.join();
    ASSERT_OK(first);
    ASSERT_OK(second);
    constexpr size_t kMessages = 300;
    const auto size_of = [](size_t i) { return i * 7919 % 50'000; };
    std::vector<std::thread> threads;
    for (SocketPipe* const pipe : {first->get(), second->get()}) {
      pipe->set_wait_mode(WaitMode::kSleep);
      threads.emplace_back([=] {
        for (size_t i = 0; i < kMessages; ++i) ASSERT_OK(pipe->Send(Bytes(size_of(i)), {}, TimeLimit()));
      });
      threads.emplace_back([=] {
        Bytes buffer(50'000);
        for (size_t i = 0; i < kMessages; ++i) {
          ASSERT_THAT(pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOkAndHolds(size_of(i)));
          if (i % 50 == 0) absl::SleepFor(absl::Milliseconds(3));  // So that the sender has to wait.
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace ipc::testing
