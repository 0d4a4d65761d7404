// The part of the suite about batches, messages in place, event loops and counters.

#include <poll.h>

#include <cstring>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/pipe_conformance.h"
#include "ipc_transport/testing/messages.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;

// Messages of different sizes, `MakeMessage(i * 7, i)`.
class Batch {
 public:
  explicit Batch(uint32_t count, uint32_t first = 0) {
    for (uint32_t i = first; i < first + count; ++i) messages_.push_back(Message(i));
    for (const Bytes& message : messages_) blobs_.push_back(message);
  }

  static Bytes Message(uint32_t i) { return MakeMessage(i % 50 * 7, i); }

  operator absl::Span<const Blob>() const { return blobs_; }  // NOLINT: a batch is its blobs.

 private:
  std::vector<Bytes> messages_;
  std::vector<Blob> blobs_;
};

Bytes CopyOf(Blob blob) { return Bytes(blob.begin(), blob.end()); }

bool IsReady(const Waitable& waitable) {
  pollfd poll = {.fd = waitable.fd.get(), .events = waitable.events, .revents = 0};
  return ::poll(&poll, 1, 0) == 1;
}

// Waits as an event loop does; false: nothing came for too long.
bool Await(const Waitable& waitable) {
  pollfd poll = {.fd = waitable.fd.get(), .events = waitable.events, .revents = 0};
  int ready;
  do {
    ready = ::poll(&poll, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit())));
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

// As an event loop does: nothing more to be had now.
bool FindsNothing(Pipe& pipe) {
  const absl::StatusOr<std::optional<Blob>> message = pipe.TryPeek(nullptr);
  return message.ok() && !message->has_value();
}

TEST_P(PipeConformance, ABatchIsItsMessagesInOrder) {
  auto [a, b] = MakePair();
  EXPECT_THAT(a->TrySendBatch(Batch(kFewMessages)), IsOkAndHolds(kFewMessages));
  for (uint32_t i = 0; i < kFewMessages; ++i) EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(Batch::Message(i)));
  EXPECT_THAT(a->TrySendBatch({}), IsOkAndHolds(0u));
  EXPECT_TRUE(FindsNothing(*b));
}

TEST_P(PipeConformance, ABatchSendsWhatHasRoom) {
  auto [a, b] = MakePair();
  const std::vector<Bytes> messages(100'000, MakeMessage(1000, 1));
  const std::vector<Blob> blobs(messages.begin(), messages.end());
  ASSERT_OK_AND_ASSIGN(const size_t sent, a->TrySendBatch(blobs));
  EXPECT_GT(sent, 0u);
  EXPECT_LT(sent, blobs.size());
  EXPECT_THAT(a->TrySendBatch(absl::MakeConstSpan(blobs).subspan(sent)), IsOkAndHolds(0u));
  for (size_t i = 0; i < sent; ++i) ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(messages[0]));
  EXPECT_TRUE(FindsNothing(*b));
  EXPECT_THAT(a->TrySendBatch(absl::MakeConstSpan(blobs).subspan(0, 2)), IsOkAndHolds(2u));
}

TEST_P(PipeConformance, AMessageBeyondTheLimitEndsABatchBeforeIt) {
  auto [a, b] = MakePair();
  const Bytes good = MakeMessage(5, 1);
  const Bytes bad(a->max_message_bytes() + 1);
  const Blob blobs[] = {good, bad, good};
  EXPECT_THAT(a->TrySendBatch(blobs), IsOkAndHolds(1u));
  EXPECT_THAT(a->TrySendBatch(absl::MakeConstSpan(blobs).subspan(1)),
              StatusIs(kInvalidArgument, HasSubstr(absl::StrCat(bad.size()))));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(good));
  EXPECT_TRUE(FindsNothing(*b));
}

TEST_P(PipeConformance, ReceivesABatchIntoPartsOfOneBuffer) {
  auto [a, b] = MakePair();
  Bytes buffer(4 * b->max_message_bytes());
  std::vector<ReceivedMessage> messages(64);
  EXPECT_THAT(b->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(messages), nullptr), IsOkAndHolds(0u));
  ASSERT_THAT(a->TrySendBatch(Batch(kFewMessages)), IsOkAndHolds(kFewMessages));
  for (uint32_t next = 0; next < kFewMessages;) {
    ASSERT_OK(b->WaitToReceive(TimeLimit()));
    ASSERT_OK_AND_ASSIGN(const size_t received,
                         b->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(messages), nullptr));
    for (size_t i = 0; i < received; ++i) EXPECT_EQ(CopyOf(messages[i].bytes), Batch::Message(next++));
  }
  EXPECT_THAT(b->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(messages), nullptr), IsOkAndHolds(0u));
}

TEST_P(PipeConformance, ABatchIsNoLargerThanItsBuffers) {
  auto [a, b] = MakePair();
  ASSERT_THAT(a->TrySendBatch(Batch(kFewMessages, 10)), IsOkAndHolds(kFewMessages));
  Bytes buffer(Batch::Message(10).size() + Batch::Message(11).size());
  std::vector<ReceivedMessage> messages(10);
  uint32_t next = 10;
  const auto receive = [&, &b = b](absl::Span<std::byte> into, size_t count) {
    const absl::StatusOr<size_t> received =
        b->TryReceiveBatch(into, absl::MakeSpan(messages).subspan(0, count), nullptr);
    ASSERT_THAT(received, IsOk());
    for (size_t i = 0; i < *received; ++i) ASSERT_EQ(CopyOf(messages[i].bytes), Batch::Message(next++));
  };
  receive(absl::MakeSpan(buffer), 10);
  EXPECT_GT(next, 10u);
  EXPECT_LE(next, 12u);
  const uint32_t before = next;
  receive({}, 0);
  EXPECT_EQ(next, before);
  EXPECT_THAT(b->TryReceiveBatch(absl::MakeSpan(buffer).subspan(0, 1), absl::MakeSpan(messages), nullptr),
              StatusIs(kInvalidArgument));
  while (next < 10 + kFewMessages) EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(Batch::Message(next++)));
}

TEST_P(PipeConformance, ABatchTellsWhoseDescriptorsAreWhose) {
  auto [a, b] = MakePair();
  if (a->max_descriptors() == 0) GTEST_SKIP() << "this kind carries no descriptors";
  for (const size_t count : {1, 0, 3}) {
    std::vector<Fd> files;
    for (size_t i = 0; i < count; ++i) files.push_back(FileWith(absl::StrCat(count, ".", i)));
    ASSERT_OK(a->Send(MakeMessage(count, 1), std::vector<FdView>(files.begin(), files.end())));
  }
  Bytes buffer(4 * b->max_message_bytes());
  std::vector<ReceivedMessage> messages(3);
  std::vector<Fd> descriptors;
  std::vector<size_t> counts;
  while (counts.size() < 3) {
    ASSERT_OK_AND_ASSIGN(const size_t received,
                         b->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(messages), &descriptors));
    for (size_t i = 0; i < received; ++i) counts.push_back(messages[i].descriptors);
  }
  EXPECT_THAT(counts, ::testing::ElementsAre(1, 0, 3));
  std::vector<std::string> texts;
  for (const Fd& descriptor : descriptors) texts.push_back(ReadAll(descriptor));
  EXPECT_THAT(texts, ::testing::ElementsAre("1.0", "3.0", "3.1", "3.2"));
}

TEST_P(PipeConformance, WhatEndsABatchComesWithTheNext) {
  auto [a, b] = MakePair();
  ASSERT_THAT(a->TrySendBatch(Batch(3)), IsOkAndHolds(3u));
  ASSERT_OK(a->FinishSending());
  Bytes buffer(4 * b->max_message_bytes());
  std::vector<ReceivedMessage> messages(10);
  absl::StatusOr<size_t> received;
  size_t total = 0;
  do {
    received = b->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(messages), nullptr);
    if (received.ok()) total += *received;
  } while (received.ok());
  EXPECT_THAT(received, StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_EQ(total, 3u);
  EXPECT_THAT(a->TrySendBatch(Batch(1)), StatusIs(kFailedPrecondition));
}

TEST_P(PipeConformance, SendsWhatIsWrittenInPlace) {
  auto [a, b] = MakePair();
  // Enough to come around several times where there is a ring.
  const size_t limit = a->max_message_bytes();
  for (uint32_t i = 0; i < 20; ++i) {
    const Bytes message = MakeMessage(limit - i * 5, i);
    ASSERT_OK_AND_ASSIGN(const auto room, a->TryReserve(limit - i));
    ASSERT_TRUE(room.has_value());
    ASSERT_EQ(room->size(), limit - i);
    std::memcpy(room->data(), message.data(), message.size());
    ASSERT_THAT(a->TryCommit(message.size()), IsOkAndHolds(true));
    EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(message));
  }
}

TEST_P(PipeConformance, NothingIsSeenOfARoomBeforeItsCommit) {
  auto [a, b] = MakePair();
  ASSERT_OK_AND_ASSIGN(const auto room, a->TryReserve(100));
  ASSERT_TRUE(room.has_value());
  std::memset(room->data(), 0xff, 100);
  EXPECT_TRUE(FindsNothing(*b));
  ASSERT_THAT(a->TryCommit(0), IsOkAndHolds(true));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(Bytes()));
}

TEST_P(PipeConformance, AnotherSendGivesTheRoomUp) {
  auto [a, b] = MakePair();
  EXPECT_THAT(a->TryCommit(0), StatusIs(kFailedPrecondition, HasSubstr("reserved")));
  ASSERT_OK(a->TryReserve(100));
  EXPECT_THAT(a->TryCommit(101), StatusIs(kInvalidArgument, AllOf(HasSubstr("101"), HasSubstr("100"))));
  ASSERT_OK(a->Send(MakeMessage(10, 1)));
  EXPECT_THAT(a->TryCommit(100), StatusIs(kFailedPrecondition));
  ASSERT_OK(a->TryReserve(50));
  ASSERT_OK(a->TrySendBatch(Batch(1, 1)));
  EXPECT_THAT(a->TryCommit(50), StatusIs(kFailedPrecondition));
  ASSERT_OK(a->TryReserve(100));
  ASSERT_OK_AND_ASSIGN(const auto room, a->TryReserve(5));
  EXPECT_THAT(a->TryCommit(100), StatusIs(kInvalidArgument));
  const Bytes message = MakeMessage(5, 2);
  std::memcpy(room->data(), message.data(), message.size());
  EXPECT_THAT(a->TryCommit(5), IsOkAndHolds(true));
  EXPECT_THAT(a->TryCommit(5), StatusIs(kFailedPrecondition));
  EXPECT_THAT(a->TryReserve(a->max_message_bytes() + 1), StatusIs(kInvalidArgument));
  for (const Bytes& expected : {MakeMessage(10, 1), Batch::Message(1), message}) {
    EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(expected));
  }
  ASSERT_OK(a->FinishSending());
  EXPECT_THAT(a->TryReserve(1), StatusIs(kFailedPrecondition));
}

TEST_P(PipeConformance, WhatIsCommittedCarriesDescriptors) {
  auto [a, b] = MakePair();
  if (a->max_descriptors() == 0) GTEST_SKIP() << "this kind carries no descriptors";
  const Fd file = FileWith("committed");
  const std::vector<FdView> too_many(a->max_descriptors() + 1, file.view());
  ASSERT_OK(a->TryReserve(0));
  EXPECT_THAT(a->TryCommit(0, too_many), StatusIs(kInvalidArgument));
  const FdView view = file;
  EXPECT_THAT(a->TryCommit(0, absl::MakeConstSpan(&view, 1)), IsOkAndHolds(true));
  std::vector<Fd> descriptors;
  EXPECT_THAT(ReceiveMessage(*b, &descriptors), IsOkAndHolds(Bytes()));
  ASSERT_EQ(descriptors.size(), 1u);
  EXPECT_EQ(ReadAll(descriptors[0]), "committed");
}

TEST_P(PipeConformance, RoomsComeAgainWithTheReader) {
  auto [a, b] = MakePair();
  const uint32_t sent = Fill(*a, 1000);
  // A kind that sends from a buffer of its own finds out with the commit.
  const auto attempt = [&a = a]() -> absl::StatusOr<bool> {
    const absl::StatusOr<std::optional<absl::Span<std::byte>>> room = a->TryReserve(1000);
    if (!room.ok()) return room.status();
    if (!room->has_value()) return false;
    const Bytes message = MakeMessage(1000, 7);
    std::memcpy((*room)->data(), message.data(), message.size());
    return a->TryCommit(1000);
  };
  EXPECT_THAT(attempt(), IsOkAndHolds(false));
  for (uint32_t i = 0; i < sent; ++i) ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(1000, i)));
  EXPECT_THAT(attempt(), IsOkAndHolds(true));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(1000, 7)));
}

TEST_P(PipeConformance, PeeksAtAMessageUntilItIsReleased) {
  auto [a, b] = MakePair();
  EXPECT_THAT(b->Release(), StatusIs(kFailedPrecondition, HasSubstr("peeked")));
  EXPECT_TRUE(FindsNothing(*b));
  EXPECT_THAT(b->Release(), StatusIs(kFailedPrecondition));
  const size_t limit = a->max_message_bytes();
  for (uint32_t i = 0; i < 20; ++i) {
    const Bytes message = MakeMessage(i == 0 ? 0 : limit - i, i);
    ASSERT_OK(a->Send(message));
    ASSERT_OK(b->WaitToReceive(TimeLimit()));
    for (int again = 0; again < 2; ++again) {
      ASSERT_OK_AND_ASSIGN(const std::optional<Blob> peeked, b->TryPeek(nullptr));
      ASSERT_TRUE(peeked.has_value());
      EXPECT_EQ(CopyOf(*peeked), message);
    }
    EXPECT_OK(b->Release());
    EXPECT_THAT(b->Release(), StatusIs(kFailedPrecondition));
  }
  EXPECT_TRUE(FindsNothing(*b));
}

TEST_P(PipeConformance, APeekedMessageIsStillTheNext) {
  auto [a, b] = MakePair();
  for (uint32_t i = 0; i < 3; ++i) ASSERT_OK(a->Send(MakeMessage(10 + i, i)));
  ASSERT_OK(b->TryPeek(nullptr));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(10, 0)));
  EXPECT_THAT(b->Release(), StatusIs(kFailedPrecondition));
  ASSERT_OK(b->TryPeek(nullptr));
  Bytes buffer(b->max_message_bytes());
  ReceivedMessage message;
  EXPECT_THAT(b->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(&message, 1), nullptr), IsOkAndHolds(1u));
  EXPECT_EQ(CopyOf(message.bytes), MakeMessage(11, 1));
  // One that was too large for a buffer can be peeked at.
  EXPECT_THAT(b->TryReceive(absl::MakeSpan(buffer).subspan(0, 5), nullptr), StatusIs(kInvalidArgument));
  ASSERT_OK_AND_ASSIGN(const std::optional<Blob> peeked, b->TryPeek(nullptr));
  EXPECT_EQ(CopyOf(*peeked), MakeMessage(12, 2));
  EXPECT_OK(b->Release());
  EXPECT_TRUE(FindsNothing(*b));
}

TEST_P(PipeConformance, APeekHandsDescriptorsOutOnce) {
  auto [a, b] = MakePair();
  if (a->max_descriptors() == 0) GTEST_SKIP() << "this kind carries no descriptors";
  const World before = World::Now();
  for (const bool release : {true, false}) {
    const Fd file = FileWith("peeked");
    const FdView view = file;
    ASSERT_OK(a->Send(MakeMessage(5, 1), absl::MakeConstSpan(&view, 1)));
    std::vector<Fd> descriptors;
    ASSERT_OK(b->TryPeek(&descriptors));
    ASSERT_OK(b->TryPeek(&descriptors));
    ASSERT_EQ(descriptors.size(), 1u);
    EXPECT_EQ(ReadAll(descriptors[0]), "peeked");
    if (release) {
      EXPECT_OK(b->Release());
    } else {
      EXPECT_THAT(ReceiveMessage(*b, &descriptors), IsOkAndHolds(MakeMessage(5, 1)));
    }
    EXPECT_EQ(descriptors.size(), 1u);
  }
  EXPECT_EQ(World::Now(), before);
}

TEST_P(PipeConformance, APeekFindsTheEnd) {
  auto [a, b] = MakePair();
  ASSERT_OK(a->Send(MakeMessage(5, 1)));
  ASSERT_OK(a->FinishSending());
  ASSERT_OK(b->TryPeek(nullptr));
  ASSERT_OK(b->Release());
  EXPECT_THAT(b->TryPeek(nullptr), StatusIs(absl::StatusCode::kOutOfRange));
  b->Close();
  EXPECT_THAT(b->TryPeek(nullptr), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(b->Release(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(b->TryReserve(1), StatusIs(absl::StatusCode::kCancelled));
}

TEST_P(PipeConformance, AnEventLoopLearnsOfMessages) {
  auto [a, b] = MakePair();
  if (!GetParam().has_waitables) GTEST_SKIP() << "this kind cannot be in an event loop";
  ASSERT_OK_AND_ASSIGN(const Waitable waitable, b->ReceiveWaitable());
  for (uint32_t round = 0; round < 3; ++round) {
    while (!FindsNothing(*b)) {
    }
    EXPECT_FALSE(IsReady(waitable));
    ASSERT_OK(a->Send(MakeMessage(10, 1)));
    ASSERT_OK(a->Send(MakeMessage(10, 2)));
    ASSERT_TRUE(Await(waitable));
    Bytes buffer(10);
    EXPECT_THAT(b->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(10u));
    EXPECT_TRUE(IsReady(waitable)) << "until a call finds nothing";
    EXPECT_THAT(b->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(10u));
  }
}

TEST_P(PipeConformance, AnEventLoopLearnsOfTheEnd) {
  if (!GetParam().has_waitables) GTEST_SKIP() << "this kind cannot be in an event loop";
  for (const bool finish : {true, false}) {
    auto [a, b] = MakePair();
    ASSERT_OK_AND_ASSIGN(const Waitable waitable, b->ReceiveWaitable());
    EXPECT_TRUE(FindsNothing(*b));
    if (finish) {
      ASSERT_OK(a->FinishSending());
    } else {
      a->Close();
    }
    ASSERT_TRUE(Await(waitable));
    EXPECT_THAT(b->TryPeek(nullptr), StatusIs(finish ? absl::StatusCode::kOutOfRange : absl::StatusCode::kUnavailable));
  }
}

TEST_P(PipeConformance, AnEventLoopLearnsOfRoom) {
  auto [a, b] = MakePair();
  if (!GetParam().has_waitables) GTEST_SKIP() << "this kind cannot be in an event loop";
  ASSERT_OK_AND_ASSIGN(const Waitable waitable, a->SendWaitable());
  constexpr size_t kSize = 1000;
  uint32_t sent = Fill(*a, kSize);
  uint32_t received = 0;
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(IsReady(waitable));
    while (!IsReady(waitable)) {
      ASSERT_LT(received, sent) << "it must be ready when everything is read";
      ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(kSize, received++)));
    }
    uint32_t more = 0;
    for (bool room = true; room; more += room) {
      ASSERT_OK_AND_ASSIGN(room, a->TrySend(MakeMessage(kSize, sent + more)));
    }
    EXPECT_GT(more, 0u);
    sent += more;
  }
  while (received < sent) ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(kSize, received++)));
}

// One direction of a channel in an event loop, the other in blocking calls, and both on one pipe.
TEST_P(PipeConformance, BlockingCallsAndAnEventLoopShareAPipe) {
  auto [a, b] = MakePair();
  if (!GetParam().has_waitables) GTEST_SKIP() << "this kind cannot be in an event loop";
  a->set_wait_mode(WaitMode::kSleep);
  ASSERT_OK_AND_ASSIGN(const Waitable waitable, b->ReceiveWaitable());
  Bytes buffer(10);
  EXPECT_THAT(b->Receive(absl::MakeSpan(buffer), nullptr, Deadline::Passed()),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_FALSE(IsReady(waitable));
  std::thread peer([&a = a] {
    for (uint32_t i = 0; i < 50; ++i) {
      ASSERT_THAT(a->Send(MakeMessage(10, i), {}, TimeLimit()), IsOk());
      ASSERT_THAT(ReceiveMessage(*a), IsOkAndHolds(MakeMessage(10, i)));
    }
  });
  for (uint32_t i = 0; i < 50; ++i) {
    if (i % 2 == 0) {
      ASSERT_THAT(b->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOkAndHolds(10u));
    } else {
      absl::StatusOr<std::optional<size_t>> bytes;
      for (bytes = b->TryReceive(absl::MakeSpan(buffer), nullptr); bytes.ok() && !bytes->has_value();
           bytes = b->TryReceive(absl::MakeSpan(buffer), nullptr)) {
        ASSERT_TRUE(Await(waitable));
      }
      ASSERT_THAT(bytes, IsOkAndHolds(10u));
    }
    EXPECT_EQ(buffer, MakeMessage(10, i));
    ASSERT_OK(b->Send(buffer));
  }
  peer.join();
}

// Both directions of both ends in event loops, at full speed; a lost event would hang it.
TEST_P(PipeConformance, EventLoopsCarryManyMessages) {
  auto [a, b] = MakePair();
  if (!GetParam().has_waitables) GTEST_SKIP() << "this kind cannot be in an event loop";
  constexpr uint32_t kMessages = 3000;
  std::thread sender([&a = a] {
    ASSERT_OK_AND_ASSIGN(const Waitable waitable, a->SendWaitable());
    for (uint32_t i = 0; i < kMessages;) {
      const absl::StatusOr<bool> sent = a->TrySend(MakeMessage(i % 700, i));
      ASSERT_THAT(sent, IsOk());
      i += *sent;
      if (!*sent) {
        ASSERT_TRUE(Await(waitable));
      }
    }
  });
  ASSERT_OK_AND_ASSIGN(const Waitable waitable, b->ReceiveWaitable());
  Bytes buffer(700);
  for (uint32_t i = 0; i < kMessages;) {
    ASSERT_OK_AND_ASSIGN(const std::optional<size_t> bytes, b->TryReceive(absl::MakeSpan(buffer), nullptr));
    if (bytes.has_value()) {
      ASSERT_EQ(CopyOf(absl::MakeConstSpan(buffer).subspan(0, *bytes)), MakeMessage(i % 700, i));
      ++i;
    } else {
      ASSERT_TRUE(Await(waitable));
    }
  }
  sender.join();
}

TEST_P(PipeConformance, CountsWhatPassesInBothDirections) {
  auto [a, b] = MakePair();
  Bytes buffer(b->max_message_bytes());
  EXPECT_THAT(b->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(std::nullopt));
  EXPECT_TRUE(FindsNothing(*b));
  ASSERT_OK(a->Send(MakeMessage(0, 1)));
  ASSERT_THAT(a->TrySendBatch(std::vector<Blob>(2, Blob(buffer).subspan(0, 100))), IsOkAndHolds(2u));
  ASSERT_OK(a->TryReserve(100));
  ASSERT_THAT(a->TryCommit(64), IsOkAndHolds(true));
  EXPECT_THAT(ReceiveMessage(*b), IsOk());
  ASSERT_OK(b->TryPeek(nullptr));
  ASSERT_OK(b->Release());
  for (int i = 0; i < 2; ++i) EXPECT_THAT(ReceiveMessage(*b), IsOk());
  EXPECT_TRUE(FindsNothing(*b));
  const PipeCounters sent = a->counters();
  const PipeCounters received = b->counters();
  for (const DirectionCounters& counters : {sent.sent, received.received}) {
    EXPECT_EQ(counters.messages, 4u);
    EXPECT_EQ(counters.bytes, 264u);
    EXPECT_EQ(counters.sizes[0], 1u);
    EXPECT_EQ(counters.sizes[7], 3u) << "64 to 127 bytes";
  }
  EXPECT_EQ(sent.sent.refused, 0u);
  EXPECT_GE(received.received.refused, 2u);
  EXPECT_EQ(sent.received.messages, 0u);
  EXPECT_EQ(received.sent.messages, 0u);
  EXPECT_EQ(sent.unread_bytes, 0u);
}

TEST_P(PipeConformance, CountsWhatFindsNoRoom) {
  auto [a, b] = MakePair();
  const uint32_t sent = Fill(*a, 1000);
  EXPECT_EQ(a->counters().sent.messages, sent);
  EXPECT_EQ(a->counters().sent.refused, 1u);
}

// A monitor reads them while traffic goes on.
TEST_P(PipeConformance, CountersMayBeReadByAnotherThread) {
  auto [a, b] = MakePair();
  std::thread sender([&a = a] {
    for (uint32_t i = 0; i < 500; ++i) ASSERT_THAT(a->Send(MakeMessage(10, i), {}, TimeLimit()), IsOk());
  });
  std::thread receiver([&b = b] {
    for (uint32_t i = 0; i < 500; ++i) ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(10, i)));
  });
  uint64_t seen = 0;
  while (seen < 500) {
    const uint64_t now = b->counters().received.messages;
    ASSERT_GE(now, seen);
    ASSERT_LE(a->counters().unread_bytes, uint64_t{1} << 30);
    seen = now;
  }
  sender.join();
  receiver.join();
  EXPECT_EQ(a->counters().sent.messages, 500u);
}

}  // namespace
}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
