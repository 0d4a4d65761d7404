#include "ipc_transport/internal/ring_receiver.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_transport/internal/ring_sender.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/testing/lane_pair.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::CommitWord;
using ::ipc::internal::Encode;
using ::ipc::internal::kMinRingBytes;
using ::ipc::internal::RecordKind;
using ::ipc::internal::RingReceiver;
using ::ipc::internal::RingSender;
using ::ipc::internal::RoomWish;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kLine = 64;
constexpr size_t kLinePayload = 56;
constexpr size_t kMaxPayload = 1016;

std::vector<std::byte> MakeMessage(uint32_t seed, size_t max_bytes) {
  std::minstd_rand random(seed + 1);
  std::vector<std::byte> message(random() % (max_bytes + 1));
  for (std::byte& byte : message) byte = static_cast<std::byte>(random());
  return message;
}

// A receiver, and the other side's lane to write into: by an honest sender, or by hand.
class RingReceiverTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::optional<size_t>> TryReceive(size_t buffer_bytes = kMaxPayload,
                                                   std::vector<Fd>* descriptors = nullptr) {
    std::vector<std::byte> buffer(buffer_bytes);
    return receiver_.TryReceive(absl::MakeSpan(buffer), descriptors);
  }

  void Send(size_t bytes, absl::Span<const FdView> descriptors = {}) {
    const std::vector<std::byte> payload(bytes);
    const Blob part(payload);
    ASSERT_THAT(sender_.TrySend(absl::MakeConstSpan(&part, 1), bytes, descriptors), IsOkAndHolds(true));
  }

  std::atomic<uint64_t>& WordAt(size_t offset) {
    return *reinterpret_cast<std::atomic<uint64_t>*>(lanes_.a.data() + ::ipc::internal::kLaneControlBytes + offset);
  }

  uint64_t Published() const { return lanes_.b_seen().control.read_position.load(); }

  const LanePair lanes_;
  RingSender sender_{lanes_.a_own(), lanes_.b_seen(), *lanes_.a_link, 0};
  RingReceiver receiver_{lanes_.b_own(), lanes_.a_seen(), *lanes_.b_link, 0};
};

TEST_F(RingReceiverTest, NothingIsThereAtFirst) {
  EXPECT_FALSE(receiver_.HasRecord());
  EXPECT_FALSE(receiver_.HasNews());
  EXPECT_FALSE(receiver_.PeerHasClosed());
  EXPECT_THAT(TryReceive(), IsOkAndHolds(std::nullopt));
}

// M3, M4, M5: words that no honest sender writes.
TEST_F(RingReceiverTest, AWordThatCannotBeIsDataLossForEver) {
  std::vector<CommitWord> words;
  for (int kind = 0; kind < 256; ++kind) {
    if (static_cast<RecordKind>(kind) == RecordKind::kData) continue;
    words.push_back({.bytes = 8, .kind = static_cast<RecordKind>(kind)});
  }
  words.push_back({.bytes = 0, .kind = RecordKind::kSkip});  // At the start of the ring.
  for (const uint32_t bytes : {uint32_t{kMaxPayload} + 1, uint32_t{4096}, uint32_t{1} << 31, ~uint32_t{0}}) {
    words.push_back({.bytes = bytes});
  }
  for (const int descriptors : {17, 255}) {
    words.push_back({.bytes = 8, .descriptors = static_cast<uint8_t>(descriptors)});
  }
  for (const int reserved : {1, 0x8000}) words.push_back({.bytes = 8, .reserved = static_cast<uint16_t>(reserved)});
  for (const CommitWord& word : words) {
    const std::string what = absl::StrCat(word.bytes, " bytes, kind ", static_cast<int>(word.kind), ", ",
                                          static_cast<int>(word.descriptors), " descriptors");
    RingReceiver receiver(lanes_.b_own(), lanes_.a_seen(), *lanes_.b_link, 0);
    std::vector<std::byte> buffer(kMaxPayload);
    WordAt(0).store(Encode(word));
    EXPECT_TRUE(receiver.HasRecord());
    EXPECT_THAT(receiver.TryReceive(absl::MakeSpan(buffer), nullptr),
                StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr(what), HasSubstr("position 0"))));
    WordAt(0).store(Encode({.bytes = 8}));
    EXPECT_THAT(receiver.TryReceive(absl::MakeSpan(buffer), nullptr), StatusIs(absl::StatusCode::kDataLoss)) << what;
  }
}

TEST_F(RingReceiverTest, ARecordThatCrossesTheEndIsDataLoss) {
  for (size_t i = 0; i < kMinRingBytes / kLine - 1; ++i) {
    ASSERT_NO_FATAL_FAILURE(Send(kLinePayload));
    ASSERT_THAT(TryReceive(), IsOkAndHolds(std::optional<size_t>(kLinePayload)));
  }
  WordAt(kMinRingBytes - kLine).store(Encode({.bytes = kLinePayload + 1}));
  EXPECT_THAT(TryReceive(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("position 4032")));
}

TEST_F(RingReceiverTest, ASkipLeadsToTheStartAndNotFurther) {
  ASSERT_NO_FATAL_FAILURE(Send(kLinePayload));
  ASSERT_THAT(TryReceive(), IsOkAndHolds(std::optional<size_t>(kLinePayload)));
  WordAt(0).store(0);
  WordAt(kLine).store(Encode({.kind = RecordKind::kSkip}));
  EXPECT_THAT(TryReceive(), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(TryReceive(), IsOkAndHolds(std::nullopt));
  WordAt(0).store(Encode({.kind = RecordKind::kSkip}));
  EXPECT_THAT(TryReceive(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("position 4096")));
}

// H2: the length that was checked is the one that is used.
TEST_F(RingReceiverTest, AWordThatChangesMeanwhileIsReadOnce) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop.load()) {
      for (const uint32_t bytes : {uint32_t{8}, uint32_t{1} << 20, uint32_t{kMaxPayload}, ~uint32_t{0}, uint32_t{0}}) {
        WordAt(0).store(Encode({.bytes = bytes}));
      }
    }
  });
  for (int i = 0; i < 5000; ++i) {
    RingReceiver receiver(lanes_.b_own(), lanes_.a_seen(), *lanes_.b_link, 0);
    std::vector<std::byte> buffer(16);
    const auto received = receiver.TryReceive(absl::MakeSpan(buffer), nullptr);
    if (received.ok() && received->has_value()) {
      EXPECT_TRUE(**received == 8 || **received == 0) << **received;
    }
  }
  stop.store(true);
  writer.join();
}

TEST_F(RingReceiverTest, AnnouncedDescriptorsThatDidNotComeAreDataLoss) {
  WordAt(0).store(Encode({.bytes = 8, .descriptors = 1}));
  std::vector<Fd> descriptors;
  EXPECT_THAT(TryReceive(kMaxPayload, &descriptors), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("record 0")));
  EXPECT_TRUE(descriptors.empty());
  EXPECT_TRUE(lanes_.b_link->ended());
}

TEST_F(RingReceiverTest, ABufferThatIsTooSmallLosesNothing) {
  const FdView view(0);
  ASSERT_NO_FATAL_FAILURE(Send(100, absl::MakeConstSpan(&view, 1)));
  std::vector<Fd> descriptors;
  EXPECT_THAT(TryReceive(99, &descriptors), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_TRUE(descriptors.empty());
  EXPECT_THAT(TryReceive(100, &descriptors), IsOkAndHolds(std::optional<size_t>(100)));
  EXPECT_EQ(descriptors.size(), 1u);
}

TEST_F(RingReceiverTest, PublishesEveryQuarterRingAndWhenEmpty) {
  for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(Send(kLinePayload));
  for (int i = 0; i < 15; ++i) ASSERT_THAT(TryReceive(), IsOk());
  EXPECT_EQ(Published(), 0u);
  ASSERT_THAT(TryReceive(), IsOk());
  EXPECT_EQ(Published(), 16 * kLine);
  for (int i = 0; i < 4; ++i) ASSERT_THAT(TryReceive(), IsOk());
  EXPECT_EQ(Published(), 16 * kLine);
  EXPECT_THAT(TryReceive(), IsOkAndHolds(std::nullopt));
  EXPECT_EQ(Published(), 20 * kLine);
}

TEST_F(RingReceiverTest, PublishesEveryRecordWhereRoomIsWanted) {
  for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(Send(kLinePayload));
  sender_.Wish(RoomWish::kWanted);
  const OsTesting os;
  ASSERT_THAT(TryReceive(), IsOk());
  EXPECT_EQ(Published(), kLine);
  EXPECT_EQ(os.calls("SendMsg"), 0);
}

TEST_F(RingReceiverTest, RingsOnceForASenderThatSleeps) {
  for (int i = 0; i < 6; ++i) ASSERT_NO_FATAL_FAILURE(Send(kLinePayload));
  const OsTesting os;
  for (int sleep = 1; sleep <= 2; ++sleep) {
    sender_.Wish(RoomWish::kAsleep);
    for (int i = 0; i < 2; ++i) ASSERT_THAT(TryReceive(), IsOk());
    EXPECT_EQ(os.calls("SendMsg"), sleep);
  }
}

TEST_F(RingReceiverTest, TheFinishComesAfterEverything) {
  ASSERT_NO_FATAL_FAILURE(Send(kLinePayload));
  sender_.Finish();
  EXPECT_TRUE(receiver_.HasNews());
  EXPECT_THAT(TryReceive(), IsOkAndHolds(std::optional<size_t>(kLinePayload)));
  EXPECT_TRUE(receiver_.HasNews());
  EXPECT_THAT(TryReceive(), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(TryReceive(), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(RingReceiverTest, AFinishThatCannotBeIsNone) {
  ASSERT_NO_FATAL_FAILURE(Send(kLinePayload));
  ASSERT_THAT(TryReceive(), IsOk());
  for (const uint64_t position : {uint64_t{0}, uint64_t{kLine} - 1, uint64_t{kLine} * 2, uint64_t{1} << 63}) {
    lanes_.a_own().control.finish_position.store(position);
    EXPECT_THAT(TryReceive(), IsOkAndHolds(std::nullopt));
    EXPECT_FALSE(receiver_.HasNews());
  }
}

TEST_F(RingReceiverTest, TheCloseIsNews) {
  lanes_.a_own().control.closed.store(1);
  EXPECT_TRUE(receiver_.HasNews());
  EXPECT_TRUE(receiver_.PeerHasClosed());
}

TEST_F(RingReceiverTest, TheSleepWordIsOddDuringASleep) {
  const auto sleep = [&] { return lanes_.b_seen().control.receive_sleep.load(); };
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(sleep(), 2 * i);
    receiver_.BeginSleep();
    EXPECT_EQ(sleep(), 2 * i + 1);
    receiver_.EndSleep();
  }
}

TEST_F(RingReceiverTest, MessagesComeOutAsTheyWentInRoundAfterRound) {
  for (uint32_t seed = 0; seed < 5000; ++seed) {
    const std::vector<std::byte> message = MakeMessage(seed, kMaxPayload);
    const Blob part(message);
    ASSERT_THAT(sender_.TrySend(absl::MakeConstSpan(&part, 1), message.size(), {}), IsOkAndHolds(true));
    std::vector<std::byte> buffer(message.size());
    ASSERT_THAT(receiver_.TryReceive(absl::MakeSpan(buffer), nullptr),
                IsOkAndHolds(std::optional<size_t>(message.size())));
    ASSERT_EQ(buffer, message);
    ASSERT_THAT(receiver_.TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(std::nullopt));
  }
}

// Over one mapping, so that the thread sanitizer sees both sides.
TEST_F(RingReceiverTest, TwoThreadsShareTheRing) {
  constexpr uint32_t kMessages = 20'000;
  std::thread sender([&] {
    for (uint32_t seed = 0; seed < kMessages; ++seed) {
      const std::vector<std::byte> message = MakeMessage(seed, 200);
      const Blob part(message);
      absl::StatusOr<bool> sent = false;
      while (sent.ok() && !*sent) {
        sent = sender_.TrySend(absl::MakeConstSpan(&part, 1), message.size(), {});
        if (sent.ok() && !*sent) std::this_thread::yield();
      }
      ASSERT_OK(sent);
    }
    sender_.Finish();
  });
  std::vector<std::byte> buffer(kMaxPayload);
  for (uint32_t seed = 0; seed < kMessages;) {
    const auto received = receiver_.TryReceive(absl::MakeSpan(buffer), nullptr);
    ASSERT_OK(received);
    if (!received->has_value()) {
      std::this_thread::yield();
      continue;
    }
    const std::vector<std::byte> message = MakeMessage(seed++, 200);
    ASSERT_EQ(absl::MakeConstSpan(buffer).subspan(0, **received), absl::MakeConstSpan(message));
  }
  sender.join();
  EXPECT_THAT(receiver_.TryReceive(absl::MakeSpan(buffer), nullptr), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(RingReceiverTest, APeekReleasesNothing) {
  for (int i = 0; i < 40; ++i) {
    Send(100);
    for (int again = 0; again < 2; ++again) {
      ASSERT_OK_AND_ASSIGN(const std::optional<Blob> peeked, receiver_.TryPeek(nullptr));
      ASSERT_TRUE(peeked.has_value());
      EXPECT_EQ(peeked->size(), 100u);
      EXPECT_GE(peeked->data(), lanes_.a.data() + ::ipc::internal::kLaneControlBytes);
      EXPECT_LE(peeked->data() + 100, lanes_.a.data() + lanes_.a.size());
    }
    const uint64_t published = Published();
    EXPECT_THAT(receiver_.ReleasePeeked(), IsOkAndHolds(100u));
    EXPECT_THAT(receiver_.ReleasePeeked(), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_THAT(receiver_.TryPeek(nullptr), IsOkAndHolds(std::nullopt));
    EXPECT_GT(Published(), published);
  }
}

// The size that was checked counts, whatever the peer writes afterwards.
TEST_F(RingReceiverTest, APeekedRecordIsReleasedAsItWasChecked) {
  Send(8);
  ASSERT_OK(receiver_.TryPeek(nullptr));
  WordAt(0).store(Encode({.bytes = kMaxPayload}));
  EXPECT_THAT(receiver_.ReleasePeeked(), IsOkAndHolds(8u));
  EXPECT_THAT(TryReceive(), IsOkAndHolds(std::nullopt));
  EXPECT_EQ(Published(), kLine);
}

TEST_F(RingReceiverTest, WhatIsBrokenStaysSoForAPeek) {
  Send(8);
  ASSERT_OK(receiver_.TryPeek(nullptr));
  WordAt(0).store(Encode({.bytes = 8, .reserved = 1}));
  EXPECT_THAT(TryReceive(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(receiver_.TryPeek(nullptr), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(receiver_.ReleasePeeked(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace ipc::testing
