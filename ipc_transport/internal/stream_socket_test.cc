// What a stream adds to frames: it comes in pieces, goes in pieces, and ends in the middle.

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/frame_socket.h"
#include "ipc_transport/internal/socket_frames.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_transport/testing/messages.h"
#include "ipc_transport/testing/raw_peer.h"
#include "ipc_transport/testing/socket_pipes.h"
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

using ::ipc::internal::FrameType;
using ::testing::AnyOf;

constexpr size_t kMax = 100;
constexpr size_t kHeaderBytes = 8;

// A peer over a stream that sends until it has no room, and is killed then.
SLUICE_CHILD_ROLE(interrupted_sender) {
  const std::unique_ptr<SocketPipe> pipe = MakeSocketPipe(InheritedFd());
  int sent = 0;
  while (*pipe->TrySend(MakeMessage(pipe->max_message_bytes(), sent))) ++sent;
  TellParent(absl::StrCat(sent));
  HearParent();
  return 0;
}

// M2: however the stream is cut, the messages and their descriptors are the same.
TEST(StreamSocketTest, AStreamInPiecesIsTheSame) {
  constexpr uint32_t kMessages = 60;
  for (const int cut : {1, 2, 7, 8, 9, 100, 1000}) {
    const OsTesting os({CutCall("SendMsg", cut == 1 ? 3 : cut, {.times = kAlways, .every = 2}),
                        CutCall("RecvMsg", cut, {.times = kAlways}),
                        FailCall("RecvMsg", EINTR, {.times = kAlways, .every = 5}),
                        FailCall("SendMsg", EINTR, {.times = kAlways, .every = 7})});
    auto [a, b] = MakeSocketPipes(SOCK_STREAM, /*max_message_bytes=*/3000);
    const auto size_of = [](uint32_t i) { return i % 10 == 0 ? 3000 : i * i * 37 % 301; };
    const auto descriptors_of = [](uint32_t i) { return i % 4 == 0 ? i % 17 : 0; };
    std::thread sender([&, &a = a] {
      const Fd file(memfd_create("sent", MFD_CLOEXEC));
      for (uint32_t i = 0; i < kMessages; ++i) {
        const std::vector<FdView> views(descriptors_of(i), file.view());
        ASSERT_OK(a->Send(MakeMessage(size_of(i), i), views, TimeLimit()));
      }
      ASSERT_OK(a->FinishSending());
      while (!ReceiveMessage(*a).ok()) break;
    });
    for (uint32_t i = 0; i < kMessages; ++i) {
      std::vector<Fd> descriptors;
      ASSERT_THAT(ReceiveMessage(*b, &descriptors), IsOkAndHolds(MakeMessage(size_of(i), i))) << cut;
      ASSERT_EQ(descriptors.size(), descriptors_of(i)) << cut;
    }
    EXPECT_THAT(ReceiveMessage(*b), StatusIs(absl::StatusCode::kOutOfRange));
    b->Close();
    sender.join();
    EXPECT_GT(os.interventions(), 100);
  }
}

// M2: a peer that trickles, into buffers that differ each time.
TEST(StreamSocketTest, AStreamMayTrickle) {
  auto [pipe, peer] = MakePipeWithRawPeer(SOCK_STREAM, {.max_message_bytes = kMax});
  std::vector<uint8_t> stream;
  const size_t sizes[] = {0, 1, 5, kMax, 0, 0, 17};
  for (const size_t size : sizes) {
    for (const uint8_t byte : FrameOf(MakeMessage(size, 3))) stream.push_back(byte);
    for (const uint8_t byte : HeaderOf(4, 0, 0)) stream.push_back(byte);
  }
  std::vector<Bytes> received;
  size_t buffer_bytes = 0;
  for (const uint8_t byte : stream) {
    peer.Send({byte});
    Bytes buffer(buffer_bytes++ % (kMax + 1));
    absl::StatusOr<std::optional<size_t>> bytes = pipe->TryReceive(absl::MakeSpan(buffer), nullptr);
    if (absl::IsInvalidArgument(bytes.status())) {
      buffer.resize(kMax);
      bytes = pipe->TryReceive(absl::MakeSpan(buffer), nullptr);
    }
    ASSERT_OK(bytes);
    if (!bytes->has_value()) continue;
    buffer.resize(**bytes);
    received.push_back(std::move(buffer));
  }
  ASSERT_EQ(received.size(), std::size(sizes));
  for (size_t i = 0; i < std::size(sizes); ++i) EXPECT_EQ(received[i], MakeMessage(sizes[i], 3));
}

// F11: the descriptors of the second frame come while the first one is read.
TEST(StreamSocketTest, DescriptorsStayWithTheirFrame) {
  auto [pipe, peer] = MakePipeWithRawPeer(SOCK_STREAM);
  peer.Send(FrameOf(MakeMessage(10, 1)));
  peer.Send(FrameOf(MakeMessage(20, 2), 3), 3);
  peer.Send(FrameOf(MakeMessage(30, 3)));
  for (const auto& [size, count] : {std::pair(10, 0), std::pair(20, 3), std::pair(30, 0)}) {
    std::vector<Fd> descriptors;
    EXPECT_THAT(ReceiveMessage(*pipe, &descriptors), IsOkAndHolds(::testing::SizeIs(size)));
    EXPECT_EQ(descriptors.size(), static_cast<size_t>(count));
  }
}

// D1
TEST(StreamSocketTest, DescriptorsInTheMiddleOfAFrameAreDataLoss) {
  const std::vector<uint8_t> frame = FrameOf(MakeMessage(20, 1), 1);
  for (const size_t split : {size_t{1}, size_t{7}, kHeaderBytes, kHeaderBytes + 5}) {
    auto [pipe, peer] = MakePipeWithRawPeer(SOCK_STREAM);
    const bool has_its_own = split == kHeaderBytes + 5;
    peer.Send({frame.begin(), frame.begin() + split}, has_its_own ? 1 : 0);
    Bytes buffer(100);
    EXPECT_THAT(pipe->TryReceive(absl::MakeSpan(buffer), nullptr),
                AnyOf(IsOkAndHolds(std::nullopt), StatusIs(absl::StatusCode::kDataLoss)));
    peer.Send({frame.begin() + split, frame.end()}, 1);
    EXPECT_THAT(ReceiveMessage(*pipe), StatusIs(absl::StatusCode::kDataLoss)) << split;
  }
}

// K4
TEST(StreamSocketTest, HalfAMessageIsNone) {
  auto [pipe, peer] = MakePipeWithRawPeer(SOCK_STREAM);
  peer.Send(FrameOf(MakeMessage(10, 1)));
  std::vector<uint8_t> half = FrameOf(MakeMessage(20, 2), 2);
  half.resize(kHeaderBytes + 10);
  peer.Send(half, 2);
  peer.Close();
  std::vector<Fd> descriptors;
  EXPECT_THAT(ReceiveMessage(*pipe, &descriptors), IsOkAndHolds(MakeMessage(10, 1)));
  const absl::StatusOr<Bytes> end = ReceiveMessage(*pipe, &descriptors);
  EXPECT_THAT(end, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(end.status()), Reason::kGone);
  EXPECT_TRUE(descriptors.empty());
}

// K4: the same, of a process that is killed with the rest of a message in its hands.
TEST(StreamSocketTest, AKilledSenderDeliversNoPart) {
  auto [here, there] = MakeSocketPair(SOCK_STREAM);
  Child child = Child::Start("interrupted_sender", {}, {.environment = {}, .inherited = there});
  there.Close();
  const std::unique_ptr<SocketPipe> pipe = MakeSocketPipe(std::move(here));
  const int sent = std::stoi(child.Hear());
  ASSERT_GT(sent, 1);
  child.Kill();
  int received = 0;
  absl::StatusOr<Bytes> message = ReceiveMessage(*pipe);
  while (message.ok()) {
    EXPECT_EQ(*message, MakeMessage(pipe->max_message_bytes(), received++));
    message = ReceiveMessage(*pipe);
  }
  EXPECT_EQ(ReasonOf(message.status()), Reason::kGone);
  EXPECT_GE(received, sent - 1);
  EXPECT_LE(received, sent);
}

// A program that sends, and then only receives, is heard out.
TEST(StreamSocketTest, TheRestOfAMessageGoesWhileThisSideReceives) {
  for (const WaitMode mode : {WaitMode::kSleep, WaitMode::kAdaptive}) {
    auto [a, b] = MakeSocketPipes(SOCK_STREAM);
    a->set_wait_mode(mode);
    uint32_t sent = 0;
    while (*a->TrySend(MakeMessage(a->max_message_bytes(), sent))) ++sent;
    std::thread peer([&, &b = b] {
      for (uint32_t i = 0; i < sent; ++i) {
        ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(b->max_message_bytes(), i)));
      }
      ASSERT_OK(b->Send(MakeMessage(5, 5), {}, TimeLimit()));
    });
    EXPECT_THAT(ReceiveMessage(*a), IsOkAndHolds(MakeMessage(5, 5)));
    peer.join();
  }
}

// The same in an event loop that waits for something to receive only, and where the rest is left by another thread.
TEST(StreamSocketTest, TheRestOfAMessageMakesAReceiverReady) {
  auto [a, b] = MakeSocketPipes(SOCK_STREAM);
  ASSERT_OK_AND_ASSIGN(const Waitable waitable, a->ReceiveWaitable());
  std::thread loop([&, &a = a] {
    Bytes buffer(a->max_message_bytes());
    absl::StatusOr<std::optional<size_t>> received = std::optional<size_t>();
    while (received.ok() && !received->has_value()) {
      pollfd poll_fd = {.fd = waitable.fd.get(), .events = waitable.events, .revents = 0};
      ASSERT_EQ(poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))), 1);
      received = a->TryReceive(absl::MakeSpan(buffer), nullptr);
    }
    EXPECT_THAT(received, IsOkAndHolds(5u));
  });
  uint32_t sent = 0;
  while (*a->TrySend(MakeMessage(a->max_message_bytes(), sent))) ++sent;
  for (uint32_t i = 0; i < sent; ++i) {
    ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(b->max_message_bytes(), i)));
  }
  ASSERT_OK(b->Send(MakeMessage(5, 5), {}, TimeLimit()));
  loop.join();
}

// Where the system gives sockets little memory, a stream finishes while this side receives.
TEST(StreamSocketTest, AFinishWithoutRoomGoesLater) {
  const OsTesting os({FailCall("SetSockOpt", EPERM, {.times = kAlways})});
  auto [a, b] = MakeSocketPipes(SOCK_STREAM);
  uint32_t sent = 0;
  while (*a->TrySend(MakeMessage(a->max_message_bytes(), sent))) ++sent;
  ASSERT_OK(a->FinishSending());
  std::thread peer([&, &b = b] {
    for (uint32_t i = 0; i < sent; ++i) {
      ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(b->max_message_bytes(), i)));
    }
    EXPECT_THAT(ReceiveMessage(*b), StatusIs(absl::StatusCode::kOutOfRange));
    ASSERT_OK(b->Send(MakeMessage(5, 5), {}, TimeLimit()));
  });
  EXPECT_THAT(ReceiveMessage(*a), IsOkAndHolds(MakeMessage(5, 5)));
  peer.join();
}

// And a close that has no room leaves no part of a message, and no goodbye that would hide the loss.
TEST(StreamSocketTest, ACloseWithoutRoomIsNoGoodbye) {
  const OsTesting os({FailCall("SetSockOpt", EPERM, {.times = kAlways})});
  auto [a, b] = MakeSocketPipes(SOCK_STREAM);
  uint32_t sent = 0;
  while (*a->TrySend(MakeMessage(a->max_message_bytes(), sent))) ++sent;
  a->Close();
  for (uint32_t i = 0; i + 1 < sent; ++i) {
    ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(b->max_message_bytes(), i)));
  }
  absl::StatusOr<Bytes> last = ReceiveMessage(*b);
  if (last.ok()) last = ReceiveMessage(*b);
  EXPECT_EQ(ReasonOf(last.status()), Reason::kGone);
}

// A notice never cuts into a message that is on its way.
TEST(StreamSocketTest, AFrameIsFinishedBeforeTheNext) {
  auto [frames, peer] = MakeFrameSockets(SOCK_STREAM, 128 * 1024);
  const Bytes message = MakeMessage(128 * 1024, 1);
  const Blob part = message;
  uint32_t sent = 0;
  while (*frames->SendMessage(absl::MakeConstSpan(&part, 1), message.size(), {})) ++sent;
  ASSERT_TRUE(frames->has_rest());
  frames->SendKeepAlive();
  EXPECT_THAT(frames->SendLast(FrameType::kFinish), IsOkAndHolds(true));
  EXPECT_THAT(frames->SendLast(FrameType::kGoodbye), IsOkAndHolds(true));
  Bytes buffer(128 * 1024);
  std::vector<Fd> none;
  for (uint32_t received = 0; received < sent;) {
    const absl::StatusOr<std::optional<size_t>> bytes = peer->Receive(absl::MakeSpan(buffer), {}, &none);
    ASSERT_OK(bytes);
    if (!bytes->has_value()) {
      ASSERT_OK(frames->Flush());
      continue;
    }
    ASSERT_EQ(buffer, message);
    ++received;
  }
  EXPECT_THAT(peer->Receive(absl::MakeSpan(buffer), {}, &none), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_EQ(ReasonOf(peer->ReadNotices()), Reason::kGoodbye);
}

// R2
TEST(StreamSocketTest, AStreamNeedsADescriptorOfItsOwn) {
  const World before = World::Now();
  {
    RawPeer peer(SOCK_STREAM);
    peer.SendHello();
    const OsTesting os({FailCall("EpollCreate", EMFILE)});
    EXPECT_THAT(SocketPipe::FromSocket(peer.TakeOther()), StatusIs(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_EQ(World::Now(), before);
}

// What is read ahead is worth another attempt, though the socket is empty.
TEST(StreamSocketTest, AMessageThatWasReadAheadIsNotWaitedFor) {
  auto [pipe, peer] = MakePipeWithRawPeer(SOCK_STREAM);
  std::vector<uint8_t> frames = FrameOf(MakeMessage(10, 1));
  const std::vector<uint8_t> empty = FrameOf({});
  frames.insert(frames.end(), empty.begin(), empty.end());
  peer.Send(frames);
  EXPECT_THAT(ReceiveMessage(*pipe), IsOkAndHolds(MakeMessage(10, 1)));
  EXPECT_OK(pipe->WaitToReceive(Deadline::Passed()));
  EXPECT_THAT(ReceiveMessage(*pipe), IsOkAndHolds(Bytes()));
  EXPECT_THAT(pipe->WaitToReceive(Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

}  // namespace
}  // namespace ipc::testing
