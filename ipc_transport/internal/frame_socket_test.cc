// Frames of every shape, honest or not, in packets and in a stream: what a pipe makes of them.

#include "ipc_transport/internal/frame_socket.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
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
#include "ipc_transport/internal/socket_frames.h"
#include "ipc_transport/internal/socket_handshake.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/socket_pipe.h"
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

using ::ipc::internal::FrameSocket;
using ::ipc::internal::FrameType;
using ::ipc::internal::SocketHandshake;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using Bytes = std::vector<std::byte>;

constexpr int kTypes[] = {SOCK_SEQPACKET, SOCK_STREAM};
constexpr size_t kMax = 100;
constexpr size_t kHeaderBytes = 8;

// Type, descriptors, two reserved bytes, four bytes of length.
std::vector<uint8_t> Header(uint8_t type, uint8_t descriptors, uint32_t bytes) {
  return {type,
          descriptors,
          0,
          0,
          static_cast<uint8_t>(bytes),
          static_cast<uint8_t>(bytes >> 8),
          static_cast<uint8_t>(bytes >> 16),
          static_cast<uint8_t>(bytes >> 24)};
}

Bytes MakeMessage(size_t size, uint32_t seed) {
  Bytes message(size);
  for (size_t i = 0; i < size; ++i) message[i] = static_cast<std::byte>(seed * 31 + i * 7);
  return message;
}

std::vector<uint8_t> FrameOf(const Bytes& message, uint8_t descriptors = 0) {
  std::vector<uint8_t> frame = Header(1, descriptors, static_cast<uint32_t>(message.size()));
  for (const std::byte byte : message) frame.push_back(static_cast<uint8_t>(byte));
  return frame;
}

// Both ends of frames over a socket of `type`.
using FramePair = std::pair<std::unique_ptr<FrameSocket>, std::unique_ptr<FrameSocket>>;
FramePair MakeFrames(int type, size_t max_message_bytes) {
  auto [here, there] = MakeSocketPair(type);
  absl::StatusOr<SocketHandshake> first =
      SocketHandshake::Create(std::move(here), {.max_message_bytes = max_message_bytes});
  absl::StatusOr<SocketHandshake> second =
      SocketHandshake::Create(std::move(there), {.max_message_bytes = max_message_bytes});
  EXPECT_OK(first);
  EXPECT_OK(second);
  EXPECT_OK(first->Advance());
  EXPECT_OK(second->Run(TimeLimit()));
  EXPECT_OK(first->Run(TimeLimit()));
  auto first_frames = FrameSocket::Create(*std::move(first));
  auto second_frames = FrameSocket::Create(*std::move(second));
  EXPECT_OK(first_frames);
  EXPECT_OK(second_frames);
  return {*std::move(first_frames), *std::move(second_frames)};
}

std::unique_ptr<SocketPipe> MakePipe(Fd socket, size_t max_message_bytes = 128 * 1024) {
  absl::StatusOr<std::unique_ptr<SocketPipe>> pipe =
      SocketPipe::FromSocket(std::move(socket), {.max_message_bytes = max_message_bytes}, TimeLimit());
  EXPECT_OK(pipe);
  return *std::move(pipe);
}

using PipePair = std::pair<std::unique_ptr<SocketPipe>, std::unique_ptr<SocketPipe>>;
PipePair MakePipes(int type, size_t max_message_bytes = 128 * 1024) {
  auto [here, there] = MakeSocketPair(type);
  PipePair pair;
  std::thread other([&, &there = there] { pair.second = MakePipe(std::move(there), max_message_bytes); });
  pair.first = MakePipe(std::move(here), max_message_bytes);
  other.join();
  return pair;
}

absl::StatusOr<Bytes> ReceiveMessage(Pipe& pipe, std::vector<Fd>* descriptors = nullptr) {
  Bytes buffer(pipe.max_message_bytes());
  absl::StatusOr<size_t> size = pipe.Receive(absl::MakeSpan(buffer), descriptors, TimeLimit());
  if (!size.ok()) return size.status();
  buffer.resize(*size);
  return buffer;
}

// What a pipe makes of `bytes`.
absl::Status Meet(int type, const std::vector<uint8_t>& bytes, size_t descriptors = 0) {
  auto [pipe, peer] = MakePipeWithRawPeer(type, {.max_message_bytes = kMax});
  peer.Send(bytes, descriptors);
  Bytes buffer(kMax);
  return pipe->TryReceive(absl::MakeSpan(buffer), nullptr).status();
}

// A peer over a stream that sends until it has no room, and is killed then.
SLUICE_CHILD_ROLE(interrupted_sender) {
  const std::unique_ptr<SocketPipe> pipe = MakePipe(InheritedFd());
  int sent = 0;
  while (*pipe->TrySend(MakeMessage(pipe->max_message_bytes(), sent))) ++sent;
  TellParent(absl::StrCat(sent));
  HearParent();
  return 0;
}

// M3, M5, D1
TEST(FrameSocketTest, OnlyHonestFramesPass) {
  const World before = World::Now();
  for (const int type : kTypes) {
    EXPECT_OK(Meet(type, FrameOf(MakeMessage(kMax, 1))));
    EXPECT_OK(Meet(type, FrameOf({}, 16), 16));
    EXPECT_OK(Meet(type, Header(4, 0, 0)));
    EXPECT_THAT(Meet(type, Header(2, 0, 0)), StatusIs(absl::StatusCode::kOutOfRange));
    EXPECT_EQ(ReasonOf(Meet(type, Header(3, 0, 0))), Reason::kGoodbye);
    std::vector<uint8_t> reserved = Header(1, 0, 0);
    reserved[2] = 1;
    const std::vector<uint8_t> dishonest[] = {
        Header(0, 0, 0),
        Header(5, 0, 0),
        Header(2, 0, 1),
        Header(1, 1, 0),
        Header(4, 1, 0),
        Header(1, 0, kMax + 1),
        Header(1, 0, 0x80000000),
        Header(1, 0, 0xffffffff),
        Header(1, 17, 0),
        {0x53, 0x6f, 0x63, 0x6b, 1, 0, 1, 0},  // A second hello.
        reserved,
    };
    for (const std::vector<uint8_t>& frame : dishonest) {
      EXPECT_THAT(Meet(type, frame), StatusIs(absl::StatusCode::kDataLoss)) << ::testing::PrintToString(frame);
    }
    EXPECT_THAT(Meet(type, FrameOf({}), 1), StatusIs(absl::StatusCode::kDataLoss));        // Unannounced.
    EXPECT_THAT(Meet(type, FrameOf({}, 2), 1), StatusIs(absl::StatusCode::kDataLoss));     // One is missing.
    EXPECT_THAT(Meet(type, FrameOf({}, 17), 17), StatusIs(absl::StatusCode::kDataLoss));   // Too many.
    EXPECT_THAT(Meet(type, FrameOf({}, 16), 200), StatusIs(absl::StatusCode::kDataLoss));  // Far too many.
  }
  // A packet that is not its frame.
  EXPECT_THAT(Meet(SOCK_SEQPACKET, {1}), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Meet(SOCK_SEQPACKET, Header(1, 0, 1)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Meet(SOCK_SEQPACKET, std::vector<uint8_t>(kHeaderBytes + kMax + 1, 1)),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(World::Now(), before);
}

// M3: the receiver takes no memory for what is only announced.
TEST(FrameSocketTest, AnEnormousLengthCostsNothing) {
  auto [pipe, peer] = MakePipeWithRawPeer(SOCK_STREAM);
  rusage before;
  getrusage(RUSAGE_SELF, &before);
  peer.Send(Header(1, 0, 0xfffffff0));
  Bytes buffer(10);
  EXPECT_THAT(pipe->TryReceive(absl::MakeSpan(buffer), nullptr), StatusIs(absl::StatusCode::kDataLoss));
  rusage after;
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 1024);  // KiB.
}

TEST(FrameSocketTest, ADishonestFrameEndsBothDirections) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type);
    peer.Send(Header(9, 0, 0));
    Bytes buffer(100);
    for (int i = 0; i < 2; ++i) {
      EXPECT_THAT(pipe->TryReceive(absl::MakeSpan(buffer), nullptr), StatusIs(absl::StatusCode::kDataLoss));
    }
    EXPECT_THAT(pipe->TrySend(buffer), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_TRUE(peer.Receive().empty());
  }
}

// M1, both directions of one pipe: what it says to a peer that speaks noise, and hears from it.
TEST(FrameSocketTest, NoiseEndsAPipe) {
  const World before = World::Now();
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    std::minstd_rand random(seed + 1);
    std::vector<uint8_t> noise(1 + random() % 200);
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random() >> 8);
    noise[0] = static_cast<uint8_t>(random() % 8);
    for (const int type : kTypes) {
      auto [pipe, peer] = MakePipeWithRawPeer(type, {.max_message_bytes = kMax});
      peer.Send(noise, random() % 3);
      peer.Close();
      Bytes buffer(kMax);
      absl::Status end;
      for (int i = 0; i < 300 && end.ok(); ++i) end = pipe->TryReceive(absl::MakeSpan(buffer), nullptr).status();
      EXPECT_FALSE(end.ok());
      EXPECT_FALSE(pipe->TrySend(buffer).ok());
    }
  }
  EXPECT_EQ(World::Now(), before);
}

// M2: however the stream is cut, the messages and their descriptors are the same.
TEST(FrameSocketTest, AStreamInPiecesIsTheSame) {
  constexpr uint32_t kMessages = 60;
  for (const int cut : {1, 2, 7, 8, 9, 100, 1000}) {
    const OsTesting os({CutCall("SendMsg", cut == 1 ? 3 : cut, {.times = kAlways, .every = 2}),
                        CutCall("RecvMsg", cut, {.times = kAlways}),
                        FailCall("RecvMsg", EINTR, {.times = kAlways, .every = 5}),
                        FailCall("SendMsg", EINTR, {.times = kAlways, .every = 7})});
    auto [a, b] = MakePipes(SOCK_STREAM, /*max_message_bytes=*/3000);
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
TEST(FrameSocketTest, AStreamMayTrickle) {
  auto [pipe, peer] = MakePipeWithRawPeer(SOCK_STREAM, {.max_message_bytes = kMax});
  std::vector<uint8_t> stream;
  const size_t sizes[] = {0, 1, 5, kMax, 0, 0, 17};
  for (const size_t size : sizes) {
    for (const uint8_t byte : FrameOf(MakeMessage(size, 3))) stream.push_back(byte);
    for (const uint8_t byte : Header(4, 0, 0)) stream.push_back(byte);
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
TEST(FrameSocketTest, DescriptorsStayWithTheirFrame) {
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
TEST(FrameSocketTest, DescriptorsInTheMiddleOfAFrameAreDataLoss) {
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
TEST(FrameSocketTest, HalfAMessageIsNone) {
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
TEST(FrameSocketTest, AKilledSenderDeliversNoPart) {
  auto [here, there] = MakeSocketPair(SOCK_STREAM);
  Child child = Child::Start("interrupted_sender", {}, {.environment = {}, .inherited = there});
  there.Close();
  const std::unique_ptr<SocketPipe> pipe = MakePipe(std::move(here));
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
TEST(FrameSocketTest, TheRestOfAMessageGoesWhileThisSideReceives) {
  for (const WaitMode mode : {WaitMode::kSleep, WaitMode::kAdaptive}) {
    auto [a, b] = MakePipes(SOCK_STREAM);
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
TEST(FrameSocketTest, TheRestOfAMessageMakesAReceiverReady) {
  auto [a, b] = MakePipes(SOCK_STREAM);
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
TEST(FrameSocketTest, AFinishWithoutRoomGoesLater) {
  const OsTesting os({FailCall("SetSockOpt", EPERM, {.times = kAlways})});
  auto [a, b] = MakePipes(SOCK_STREAM);
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
TEST(FrameSocketTest, ACloseWithoutRoomIsNoGoodbye) {
  const OsTesting os({FailCall("SetSockOpt", EPERM, {.times = kAlways})});
  auto [a, b] = MakePipes(SOCK_STREAM);
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
TEST(FrameSocketTest, AFrameIsFinishedBeforeTheNext) {
  auto [frames, peer] = MakeFrames(SOCK_STREAM, 128 * 1024);
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

// B1
TEST(FrameSocketTest, APeerThatNeverReadsCostsABoundedAmount) {
  for (const int type : kTypes) {
    auto [frames, peer] = MakeFrames(type, 1000);
    const Bytes message = MakeMessage(1000, 1);
    const Blob part = message;
    size_t sent = 0;
    while (*frames->SendMessage(absl::MakeConstSpan(&part, 1), message.size(), {})) ++sent;
    EXPECT_LT(sent * 1000, 4u << 20);
    for (int i = 0; i < 1000; ++i) {
      EXPECT_THAT(frames->SendMessage(absl::MakeConstSpan(&part, 1), message.size(), {}), IsOkAndHolds(false));
      frames->SendKeepAlive();
    }
  }
}

// T14
TEST(FrameSocketTest, ABatchCostsOneSystemCall) {
  constexpr size_t kMessages = 64;
  std::vector<Bytes> messages;
  std::vector<Blob> blobs;
  for (size_t i = 0; i < kMessages; ++i) messages.push_back(MakeMessage(i, i));
  for (const Bytes& message : messages) blobs.push_back(message);
  for (const int type : kTypes) {
    auto [a, b] = MakePipes(type, kMax);
    const OsTesting os;
    EXPECT_THAT(a->TrySendBatch(blobs), IsOkAndHolds(kMessages));
    EXPECT_EQ(os.calls("SendMMsg"), type == SOCK_SEQPACKET ? 1 : 0);
    EXPECT_EQ(os.calls("SendMsg"), type == SOCK_SEQPACKET ? 0 : 1);
    Bytes buffer(kMessages * kMax);
    std::vector<ReceivedMessage> received(kMessages);
    EXPECT_THAT(b->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(received), nullptr), IsOkAndHolds(kMessages));
    if (type == SOCK_SEQPACKET) {
      EXPECT_EQ(os.calls("RecvMMsg"), 1);
      EXPECT_EQ(os.calls("RecvMsg"), 0);
    } else {
      EXPECT_LE(os.calls("RecvMsg"), static_cast<int>(kMessages) + 2);
    }
    for (size_t i = 0; i < kMessages; ++i) {
      EXPECT_EQ(Bytes(received[i].bytes.begin(), received[i].bytes.end()), messages[i]);
    }
  }
}

TEST(FrameSocketTest, ABatchLeavesEachItsDescriptors) {
  for (const int type : kTypes) {
    auto [a, b] = MakePipes(type, kMax);
    const Fd file(memfd_create("sent", MFD_CLOEXEC));
    for (size_t i = 0; i < 5; ++i) ASSERT_OK(a->Send(MakeMessage(i, i), std::vector<FdView>(i % 3, file.view())));
    Bytes buffer(10 * kMax);
    std::vector<ReceivedMessage> received(10);
    std::vector<Fd> descriptors;
    ASSERT_THAT(b->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(received), &descriptors), IsOkAndHolds(5u));
    std::vector<size_t> counts;
    for (size_t i = 0; i < 5; ++i) counts.push_back(received[i].descriptors);
    EXPECT_THAT(counts, ElementsAre(0, 1, 2, 0, 1));
    EXPECT_EQ(descriptors.size(), 4u);
  }
}

// What ends a batch comes with the next call; keep-alives are no messages, and after a finish comes no more.
TEST(FrameSocketTest, ABatchEndsWhereThePipeDoes) {
  const struct {
    std::vector<uint8_t> last;
    size_t descriptors;
    absl::StatusCode code;
  } cases[] = {{Header(2, 0, 0), 0, absl::StatusCode::kOutOfRange},
               {Header(3, 0, 0), 0, absl::StatusCode::kUnavailable},
               {Header(9, 0, 0), 0, absl::StatusCode::kDataLoss},
               {Header(1, 17, 0), 17, absl::StatusCode::kDataLoss},
               {Header(1, 0, 0), 100, absl::StatusCode::kDataLoss}};
  for (const int type : kTypes) {
    for (const auto& [last, descriptors, code] : cases) {
      auto [pipe, peer] = MakePipeWithRawPeer(type, {.max_message_bytes = kMax});
      peer.Send(FrameOf(MakeMessage(10, 1)));
      peer.Send(Header(4, 0, 0));
      peer.Send(FrameOf(MakeMessage(20, 2)));
      peer.Send(last, descriptors);
      peer.Send(Header(3, 0, 0));
      Bytes buffer(10 * kMax);
      std::vector<ReceivedMessage> received(10);
      EXPECT_THAT(pipe->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(received), nullptr), IsOkAndHolds(2u));
      EXPECT_EQ(received[1].bytes.size(), 20u);
      for (int i = 0; i < 2; ++i) {
        EXPECT_THAT(pipe->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(received), nullptr), StatusIs(code));
      }
    }
  }
}

TEST(FrameSocketTest, ABatchOfKeepAlivesIsNothing) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type, {.max_message_bytes = kMax});
    for (int i = 0; i < 5; ++i) peer.Send(Header(4, 0, 0));
    Bytes buffer(2 * kMax);
    std::vector<ReceivedMessage> received(2);
    EXPECT_THAT(pipe->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(received), nullptr), IsOkAndHolds(0u));
    peer.Send(FrameOf(MakeMessage(3, 1)));
    EXPECT_THAT(pipe->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(received), nullptr), IsOkAndHolds(1u));
  }
}

// F10, R2: without room for its descriptors a message ends the batch, after those before it.
TEST(FrameSocketTest, ABatchWithoutRoomForDescriptors) {
  const World before = World::Now();
  for (const int type : kTypes) {
    auto [a, b] = MakePipes(type, kMax);
    const Fd file(memfd_create("sent", MFD_CLOEXEC));
    ASSERT_OK(a->Send(MakeMessage(1, 1)));
    ASSERT_OK(a->Send(MakeMessage(2, 2), std::vector<FdView>(16, file.view())));
    rlimit limit;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit few = {.rlim_cur = static_cast<rlim_t>(file.get()) + 5, .rlim_max = limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    Bytes buffer(10 * kMax);
    std::vector<ReceivedMessage> received(10);
    std::vector<Fd> descriptors;
    EXPECT_THAT(b->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(received), &descriptors), IsOkAndHolds(1u));
    EXPECT_THAT(b->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(received), &descriptors),
                StatusIs(absl::StatusCode::kResourceExhausted));
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_TRUE(descriptors.empty());
  }
  EXPECT_EQ(World::Now(), before);
}

// A sender that meets the end hears why, if nothing unread hides it.
TEST(FrameSocketTest, ASenderLearnsOfTheGoodbye) {
  for (const int type : kTypes) {
    auto [a, b] = MakePipes(type, kMax);
    b->Close();
    EXPECT_EQ(ReasonOf(a->TrySend(MakeMessage(1, 1)).status()), Reason::kGoodbye);
    EXPECT_EQ(ReasonOf(ReceiveMessage(*a).status()), Reason::kGoodbye);
    auto [c, d] = MakePipes(type, kMax);
    ASSERT_OK(d->Send(MakeMessage(2, 2)));
    d->Close();
    EXPECT_EQ(ReasonOf(c->TrySend(MakeMessage(1, 1)).status()), Reason::kGone);
    EXPECT_THAT(ReceiveMessage(*c), IsOkAndHolds(MakeMessage(2, 2)));
    EXPECT_EQ(ReasonOf(ReceiveMessage(*c).status()), Reason::kGoodbye);
    EXPECT_EQ(ReasonOf(c->TrySend(MakeMessage(1, 1)).status()), Reason::kGoodbye);
  }
}

// R2
TEST(FrameSocketTest, AStreamNeedsADescriptorOfItsOwn) {
  const World before = World::Now();
  {
    RawPeer peer(SOCK_STREAM);
    peer.SendHello();
    const OsTesting os({FailCall("EpollCreate", EMFILE)});
    EXPECT_THAT(SocketPipe::FromSocket(peer.TakeOther()), StatusIs(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_EQ(World::Now(), before);
}

}  // namespace
}  // namespace ipc::testing
