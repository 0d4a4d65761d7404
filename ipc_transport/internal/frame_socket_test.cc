// Frames of every shape, honest or not, in packets and in a stream: what a pipe makes of them.

#include "ipc_transport/internal/frame_socket.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_transport/testing/messages.h"
#include "ipc_transport/testing/raw_peer.h"
#include "ipc_transport/testing/socket_pipes.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;

constexpr int kTypes[] = {SOCK_SEQPACKET, SOCK_STREAM};
constexpr size_t kMax = 100;
constexpr size_t kHeaderBytes = 8;

// What a pipe makes of `bytes`.
absl::Status Meet(int type, const std::vector<uint8_t>& bytes, size_t descriptors = 0) {
  auto [pipe, peer] = MakePipeWithRawPeer(type, {.max_message_bytes = kMax});
  peer.Send(bytes, descriptors);
  Bytes buffer(kMax);
  return pipe->TryReceive(absl::MakeSpan(buffer), nullptr).status();
}

// M3, M5, D1
TEST(FrameSocketTest, OnlyHonestFramesPass) {
  const World before = World::Now();
  for (const int type : kTypes) {
    EXPECT_OK(Meet(type, FrameOf(MakeMessage(kMax, 1))));
    EXPECT_OK(Meet(type, FrameOf({}, 16), 16));
    EXPECT_OK(Meet(type, HeaderOf(4, 0, 0)));
    EXPECT_THAT(Meet(type, HeaderOf(2, 0, 0)), StatusIs(absl::StatusCode::kOutOfRange));
    EXPECT_EQ(ReasonOf(Meet(type, HeaderOf(3, 0, 0))), Reason::kGoodbye);
    std::vector<uint8_t> reserved = HeaderOf(1, 0, 0);
    reserved[2] = 1;
    const std::vector<uint8_t> dishonest[] = {
        HeaderOf(0, 0, 0),
        HeaderOf(5, 0, 0),
        HeaderOf(2, 0, 1),
        HeaderOf(1, 1, 0),
        HeaderOf(4, 1, 0),
        HeaderOf(1, 0, kMax + 1),
        HeaderOf(1, 0, 0x80000000),
        HeaderOf(1, 0, 0xffffffff),
        HeaderOf(1, 17, 0),
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
  EXPECT_THAT(Meet(SOCK_SEQPACKET, HeaderOf(1, 0, 1)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Meet(SOCK_SEQPACKET, std::vector<uint8_t>(kHeaderBytes + kMax + 1, 1)),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(World::Now(), before);
}

// M3: the receiver takes no memory for what is only announced.
TEST(FrameSocketTest, AnEnormousLengthCostsNothing) {
  auto [pipe, peer] = MakePipeWithRawPeer(SOCK_STREAM);
  rusage before;
  getrusage(RUSAGE_SELF, &before);
  peer.Send(HeaderOf(1, 0, 0xfffffff0));
  Bytes buffer(10);
  EXPECT_THAT(pipe->TryReceive(absl::MakeSpan(buffer), nullptr), StatusIs(absl::StatusCode::kDataLoss));
  rusage after;
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 1024);  // KiB.
}

TEST(FrameSocketTest, ADishonestFrameEndsBothDirections) {
  for (const int type : kTypes) {
    auto [pipe, peer] = MakePipeWithRawPeer(type);
    peer.Send(HeaderOf(9, 0, 0));
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

// B1
TEST(FrameSocketTest, APeerThatNeverReadsCostsABoundedAmount) {
  for (const int type : kTypes) {
    auto [frames, peer] = MakeFrameSockets(type, 1000);
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
    auto [a, b] = MakeSocketPipes(type, kMax);
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
    auto [a, b] = MakeSocketPipes(type, kMax);
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
  } cases[] = {{HeaderOf(2, 0, 0), 0, absl::StatusCode::kOutOfRange},
               {HeaderOf(3, 0, 0), 0, absl::StatusCode::kUnavailable},
               {HeaderOf(9, 0, 0), 0, absl::StatusCode::kDataLoss},
               {HeaderOf(1, 17, 0), 17, absl::StatusCode::kDataLoss},
               {HeaderOf(1, 0, 0), 100, absl::StatusCode::kDataLoss}};
  for (const int type : kTypes) {
    for (const auto& [last, descriptors, code] : cases) {
      auto [pipe, peer] = MakePipeWithRawPeer(type, {.max_message_bytes = kMax});
      peer.Send(FrameOf(MakeMessage(10, 1)));
      peer.Send(HeaderOf(4, 0, 0));
      peer.Send(FrameOf(MakeMessage(20, 2)));
      peer.Send(last, descriptors);
      peer.Send(HeaderOf(3, 0, 0));
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
    for (int i = 0; i < 5; ++i) peer.Send(HeaderOf(4, 0, 0));
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
    auto [a, b] = MakeSocketPipes(type, kMax);
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
    auto [a, b] = MakeSocketPipes(type, kMax);
    b->Close();
    EXPECT_EQ(ReasonOf(a->TrySend(MakeMessage(1, 1)).status()), Reason::kGoodbye);
    EXPECT_EQ(ReasonOf(ReceiveMessage(*a).status()), Reason::kGoodbye);
    auto [c, d] = MakeSocketPipes(type, kMax);
    ASSERT_OK(d->Send(MakeMessage(2, 2)));
    d->Close();
    EXPECT_EQ(ReasonOf(c->TrySend(MakeMessage(1, 1)).status()), Reason::kGone);
    EXPECT_THAT(ReceiveMessage(*c), IsOkAndHolds(MakeMessage(2, 2)));
    EXPECT_EQ(ReasonOf(ReceiveMessage(*c).status()), Reason::kGoodbye);
    EXPECT_EQ(ReasonOf(c->TrySend(MakeMessage(1, 1)).status()), Reason::kGoodbye);
  }
}

}  // namespace
}  // namespace ipc::testing
