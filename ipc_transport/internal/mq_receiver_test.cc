#include "ipc_transport/internal/mq_receiver.h"

#include <fcntl.h>
#include <mqueue.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/mq_queue.h"
#include "ipc_transport/internal/mq_record.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::Link;
using ::ipc::internal::MakeMqQueue;
using ::ipc::internal::MqQueue;
using ::ipc::internal::MqReceiver;
using ::ipc::internal::MqRecordHeader;
using ::ipc::internal::MqRecordType;
using ::ipc::internal::MqShape;

constexpr MqShape kShape = {.message_bytes = 64, .messages = 8};
constexpr size_t kMaxPayload = 40;

class MqReceiverTest : public ::testing::Test {
 protected:
  MqReceiverTest() {
    auto [here, there] = MakeSocketPair();
    link_ = Link::Create(std::move(here), PidFd()).value();
    peer_link_ = Link::Create(std::move(there), PidFd()).value();
    MqQueue queue = MakeMqQueue(kShape).value();
    writer_ = std::move(queue.writer);
    receiver_.emplace(std::move(queue.reader), kShape, kMaxPayload, link_);
  }

  void Put(const MqRecordHeader& header, const std::string& payload, unsigned priority = 0) {
    std::string message(sizeof(header), '\0');
    std::memcpy(message.data(), &header, sizeof(header));
    PutRaw(message + payload, priority);
  }

  void PutRaw(const std::string& message, unsigned priority = 0) {
    const timespec at_once = {};
    ASSERT_EQ(mq_timedsend(writer_.get(), message.data(), message.size(), priority, &at_once), 0);
  }

  // The next message by way of a buffer of `buffer_bytes` and an overflow.
  absl::StatusOr<std::optional<std::string>> Receive(size_t buffer_bytes = kMaxPayload) {
    std::string buffer(buffer_bytes, '\0');
    std::string overflow(kMaxPayload - buffer_bytes, '\0');
    const auto bytes_of = [](std::string& text) {
      return absl::MakeSpan(reinterpret_cast<std::byte*>(text.data()), text.size());
    };
    const absl::StatusOr<std::optional<size_t>> bytes =
        receiver_->TryReceive(bytes_of(buffer), bytes_of(overflow), &descriptors_);
    if (!bytes.ok()) return bytes.status();
    if (!bytes->has_value()) return std::nullopt;
    return (buffer + overflow).substr(0, **bytes);
  }

  std::shared_ptr<Link> link_;
  std::shared_ptr<Link> peer_link_;
  Fd writer_;
  std::optional<MqReceiver> receiver_;
  std::vector<Fd> descriptors_;
};

TEST_F(MqReceiverTest, TakesRecordsInTheirOrder) {
  EXPECT_THAT(Receive(), IsOkAndHolds(std::nullopt));
  Put({.bytes = 3}, "one");
  Put({.bytes = 0, .record = 1}, "");
  Put({.bytes = 5, .record = 2}, "three");
  EXPECT_THAT(Receive(), IsOkAndHolds("one"));
  EXPECT_THAT(Receive(), IsOkAndHolds(""));
  EXPECT_THAT(Receive(), IsOkAndHolds("three"));
  EXPECT_THAT(Receive(), IsOkAndHolds(std::nullopt));
}

TEST_F(MqReceiverTest, WhatHasNoRoomInTheBufferOverflows) {
  const std::string text(kMaxPayload, 'x');
  uint64_t record = 0;
  for (const size_t buffer_bytes : {size_t{0}, size_t{1}, kMaxPayload - 1, kMaxPayload}) {
    Put({.bytes = kMaxPayload, .record = record++}, text);
    EXPECT_THAT(Receive(buffer_bytes), IsOkAndHolds(text));
  }
}

TEST_F(MqReceiverTest, DescriptorsComeWithTheirRecord) {
  const FdView descriptors[] = {writer_, writer_};
  ASSERT_THAT(peer_link_->SendDescriptors(/*channel=*/0, 0, descriptors), IsOkAndHolds(true));
  Put({.descriptors = 2, .bytes = 4}, "with");
  EXPECT_THAT(Receive(), IsOkAndHolds("with"));
  EXPECT_EQ(descriptors_.size(), 2u);
}

TEST_F(MqReceiverTest, AFinishIsTheOrderlyEnd) {
  Put({.bytes = 4}, "last");
  Put({.type = MqRecordType::kFinish, .record = 1}, "");
  EXPECT_THAT(Receive(), IsOkAndHolds("last"));
  EXPECT_THAT(Receive(), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_FALSE(link_->ended());
}

// D1: announced, but not sent.
TEST_F(MqReceiverTest, DescriptorsThatAreMissingAreDataLoss) {
  Put({.descriptors = 1, .bytes = 1}, "x");
  EXPECT_THAT(Receive(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_TRUE(link_->ended());
}

// M2, M3: the records themselves are tried in mq_record_test.
TEST_F(MqReceiverTest, ARecordThatCannotBeEndsTheLink) {
  Put({.bytes = 41}, std::string(41, 'x'));
  EXPECT_THAT(Receive(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(link_->end_status(), StatusIs(absl::StatusCode::kDataLoss));
  peer_link_->Pump();
  EXPECT_TRUE(peer_link_->ended()) << "and the peer learns of it";
}

TEST_F(MqReceiverTest, AMessageWithoutAHeaderIsDataLoss) {
  PutRaw("");
  EXPECT_THAT(Receive(), StatusIs(absl::StatusCode::kDataLoss));
}

// A peer that lets one message overtake another by its priority.
TEST_F(MqReceiverTest, AnotherOrderIsDataLoss) {
  Put({.bytes = 1}, "1");
  Put({.bytes = 1, .record = 1}, "2", /*priority=*/1);
  EXPECT_THAT(Receive(), StatusIs(absl::StatusCode::kDataLoss));
}

// M1: 1000 seeds.
TEST(MqReceiverHostileTest, RandomBytesNeverPass) {
  for (uint32_t seed = 1; seed <= 1000; ++seed) {
    auto [here, there] = MakeSocketPair();
    ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Link> link, Link::Create(std::move(here), PidFd()));
    ASSERT_OK_AND_ASSIGN(MqQueue queue, MakeMqQueue(kShape));
    MqReceiver receiver(std::move(queue.reader), kShape, kMaxPayload, link);
    std::minstd_rand random(seed);
    std::string message(random() % 65, '\0');
    for (char& byte : message) byte = static_cast<char>(random());
    const timespec at_once = {};
    ASSERT_EQ(mq_timedsend(queue.writer.get(), message.data(), message.size(), random() % 100, &at_once), 0);
    std::vector<std::byte> buffer(kMaxPayload);
    std::vector<Fd> descriptors;
    EXPECT_FALSE(receiver.TryReceive(absl::MakeSpan(buffer), {}, &descriptors).ok()) << seed;
    EXPECT_TRUE(link->ended()) << seed;
  }
}

// O_NONBLOCK is of the open file, which the peer may share: neither setting makes a call wait or fail.
TEST_F(MqReceiverTest, ThePeersNonblockingFlagIsNoMatter) {
  for (const int flags : {O_NONBLOCK, 0}) {
    ASSERT_EQ(fcntl(receiver_->queue().get(), F_SETFL, flags), 0);
    EXPECT_THAT(Receive(), IsOkAndHolds(std::nullopt));
  }
}

// F27
TEST_F(MqReceiverTest, InterruptedCallsAreRepeated) {
  Put({.bytes = 1}, "x");
  const OsTesting os({FailCall("MqTimedReceive", EINTR, {.times = 3})});
  EXPECT_THAT(Receive(), IsOkAndHolds("x"));
  EXPECT_EQ(os.interventions(), 3);
}

TEST_F(MqReceiverTest, AnErrorOfTheQueueIsReported) {
  const OsTesting os({FailCall("MqTimedReceive", EBADF)});
  EXPECT_THAT(Receive(), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ipc::testing
