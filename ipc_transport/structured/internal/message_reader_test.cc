#include "ipc_transport/structured/internal/message_reader.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/store.h"
#include "ipc_transport/structured/testing/fake_store.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_transport/structured/testing/records.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using sluice_test::Parcel;
using testing::Bytes;
using testing::FakeStore;
using ::testing::HasSubstr;
using testing::HonestFragment;
using testing::HonestMessage;
using testing::HonestSchema;
using testing::Join;
using testing::kNullRoot;
using testing::StatusIs;
using testing::TimeLimit;
using testing::World;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;

// What this side takes, and its next message.
constexpr uint64_t kMaxBytes = 1000;
constexpr uint64_t kNextOwnId = 5;

const SchemaIdentity& Schema() { return IdentityOf<Parcel>(); }

MessageHeader Answer(uint64_t id, uint64_t in_reply_to) {
  MessageHeader header = HonestMessage(id);
  header.in_reply_to = in_reply_to;
  return header;
}

// Message `id`, an answer, of one attached segment with `words` words.
Bytes LargeAnswer(uint64_t id, uint64_t in_reply_to, uint64_t words, uint8_t descriptors = 0) {
  MessageHeader header = Answer(id, in_reply_to);
  header.segments = 1;
  header.descriptors = descriptors;
  return Join(header, words, kNullRoot, std::vector<uint64_t>(words));
}

Bytes Control(RecordKind kind, uint64_t value) { return Join(testing::HonestControl(kind, value)); }

// A reader whose peer sends raw records.
class MessageReaderTest : public ::testing::Test {
 protected:
  void SetUp() override { Connect(nullptr); }

  void Connect(std::shared_ptr<MessageStore> store) {
    auto pair = RingPipe::CreatePair();
    ASSERT_OK(pair);
    reader_.reset();
    pipe_ = std::move(pair->first);
    peer_ = std::move(pair->second);
    reader_.emplace(pipe_.get(), std::move(store), Schema(), IncomingOptions{.max_copied_bytes = kMaxBytes},
                    next_own_id_);
  }
  // One that knows its peer.
  void ConnectAndCheck(std::shared_ptr<MessageStore> store = nullptr) {
    Connect(std::move(store));
    PeerSends(Join(HonestSchema(Schema()), Schema().name));
    EXPECT_TRUE(Reads<std::monostate>().has_value());
  }

  void PeerSends(const Bytes& record, size_t descriptors = 0) {
    const std::vector<FdView> copies(descriptors, FdView(0));
    ASSERT_OK(peer_->Send(record, copies, TimeLimit()));
  }
  // In fragments of `piece` bytes; `descriptors` with the last.
  void PeerSendsSplit(uint64_t id, const Bytes& message, size_t piece, uint8_t descriptors = 0) {
    FragmentHeader header = HonestFragment(id, message.size());
    for (; header.offset < header.total; header.offset += piece) {
      const size_t bytes = std::min<size_t>(piece, header.total - header.offset);
      const auto begin = message.begin() + static_cast<ptrdiff_t>(header.offset);
      if (header.offset + bytes == header.total) header.descriptors = descriptors;
      PeerSends(Join(header, Bytes(begin, begin + static_cast<ptrdiff_t>(bytes))), header.descriptors);
    }
  }

  // What the next record brought, if that is a `T`.
  template <typename T>
  std::optional<T> Reads() {
    absl::StatusOr<std::optional<Arrival>> arrival = reader_->TryRead();
    EXPECT_OK(arrival);
    if (!arrival.ok() || !arrival->has_value() || !std::holds_alternative<T>(**arrival)) return std::nullopt;
    return std::get<T>(**std::move(arrival));
  }
  void ExpectNothing() {
    const absl::StatusOr<std::optional<Arrival>> arrival = reader_->TryRead();
    ASSERT_OK(arrival);
    EXPECT_FALSE(arrival->has_value());
  }
  void ExpectMessage(uint64_t id) {
    const std::optional<IncomingMessage::Ptr> message = Reads<IncomingMessage::Ptr>();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ((*message)->id(), id);
  }
  void ExpectDropped(uint64_t in_reply_to) {
    const std::optional<DroppedMessage> dropped = Reads<DroppedMessage>();
    ASSERT_TRUE(dropped.has_value());
    EXPECT_THAT(dropped->why, StatusIs(kResourceExhausted, HasSubstr("max_heap_message_bytes")));
    EXPECT_EQ(dropped->in_reply_to, in_reply_to);
  }
  void ExpectDataLoss(const char* text) { EXPECT_THAT(reader_->TryRead(), StatusIs(kDataLoss, HasSubstr(text))); }

  const std::atomic<uint64_t> next_own_id_ = kNextOwnId;
  std::unique_ptr<Pipe> pipe_;
  std::unique_ptr<Pipe> peer_;
  std::optional<MessageReader> reader_;
};

TEST_F(MessageReaderTest, TheSchemaIsNoNewsButMakesThePeerKnown) {
  ExpectNothing();
  EXPECT_FALSE(reader_->peer_checked());
  EXPECT_EQ(reader_->peer_credit(), 0u);
  SchemaHeader header = HonestSchema(Schema());
  header.credit = 99;
  PeerSends(Join(header, Schema().name));
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  EXPECT_TRUE(reader_->peer_checked());
  EXPECT_EQ(reader_->peer_credit(), 99u);
  ExpectNothing();
}

TEST_F(MessageReaderTest, ARecordBringsAMessageCreditOrANotice) {
  ConnectAndCheck();
  MessageHeader header = Answer(1, 4);
  header.flags = kRequestFlag;
  PeerSends(Join(header, kNullRoot));
  PeerSends(Control(RecordKind::kCredit, 500));
  PeerSends(Control(RecordKind::kUnwanted, 3));
  const std::optional<IncomingMessage::Ptr> message = Reads<IncomingMessage::Ptr>();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ((*message)->id(), 1u);
  EXPECT_EQ((*message)->in_reply_to(), 4u);
  EXPECT_TRUE((*message)->is_request());
  const std::optional<CreditRecord> credit = Reads<CreditRecord>();
  ASSERT_TRUE(credit.has_value());
  EXPECT_EQ(credit->messages, 500u);
  const std::optional<UnwantedRecord> unwanted = Reads<UnwantedRecord>();
  ASSERT_TRUE(unwanted.has_value());
  EXPECT_EQ(unwanted->request, 3u);
  ExpectNothing();
}

TEST_F(MessageReaderTest, TheLastFragmentBringsTheMessage) {
  ConnectAndCheck();
  PeerSendsSplit(1, LargeAnswer(1, 4, 50), 100);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Reads<std::monostate>().has_value());
  const std::optional<IncomingMessage::Ptr> message = Reads<IncomingMessage::Ptr>();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ((*message)->id(), 1u);
  EXPECT_EQ((*message)->in_reply_to(), 4u);
  EXPECT_EQ((*message)->own_bytes(), 51 * 8u);
  ExpectNothing();
}

TEST_F(MessageReaderTest, AnotherMessageDropsWhatIsNotComplete) {
  ConnectAndCheck();
  PeerSends(Join(HonestFragment(1, 100), std::string(40, 'x')));
  PeerSends(Join(HonestMessage(2), kNullRoot));
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  ExpectMessage(2);
  PeerSendsSplit(3, Join(HonestMessage(3), kNullRoot), 16);
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  ExpectMessage(3);

  ConnectAndCheck();
  FragmentHeader header = HonestFragment(1, 100);
  PeerSends(Join(header, std::string(40, 'x')));
  PeerSends(Join(HonestMessage(2), kNullRoot));
  header.offset = 40;
  PeerSends(Join(header, std::string(40, 'x')));
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  ExpectMessage(2);
  ExpectDataLoss("bytes at 40 of message 1 without its beginning");
}

TEST_F(MessageReaderTest, NothingComesBeforeTheSchema) {
  for (const Bytes& record : {Join(HonestMessage(1), kNullRoot), Join(HonestFragment(1, 100), std::string(10, 'x')),
                              Control(RecordKind::kCredit, 500), Control(RecordKind::kUnwanted, 1)}) {
    Connect(nullptr);
    PeerSends(record);
    ExpectDataLoss("first record does not say which type");
    EXPECT_FALSE(reader_->peer_checked());
  }
}

TEST_F(MessageReaderTest, AnotherTypeIsRefused) {
  const SchemaIdentity other = {.type_id = 77, .layout_hash = 1, .name = "other.capnp:Other"};
  PeerSends(Join(HonestSchema(other), other.name));
  EXPECT_THAT(reader_->TryRead(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("other.capnp:Other")));
  EXPECT_FALSE(reader_->peer_checked());
}

TEST_F(MessageReaderTest, TheSchemaComesOnce) {
  ConnectAndCheck();
  PeerSends(Join(HonestSchema(Schema()), Schema().name));
  ExpectDataLoss("said twice");
}

// M5
TEST_F(MessageReaderTest, AJoinedMessageIsCheckedAsAnyOther) {
  ConnectAndCheck();
  PeerSendsSplit(1, Join(HonestMessage(2), kNullRoot), 16);
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  ExpectDataLoss("message 2 as fragments of 1");

  ConnectAndCheck();
  PeerSends(Join(HonestMessage(1), kNullRoot));
  PeerSendsSplit(1, Join(HonestMessage(1), kNullRoot), 16);
  ExpectMessage(1);
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  ExpectDataLoss("message 1 after 1");

  ConnectAndCheck();
  PeerSendsSplit(1, Join(Answer(1, kNextOwnId), kNullRoot), 16);
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  ExpectDataLoss("answered message 5 before it was sent; 5 would be the next");

  ConnectAndCheck();
  PeerSendsSplit(1, Join(HonestMessage(1), kNullRoot), 16, /*descriptors=*/1);
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  ExpectDataLoss("descriptors");
}

TEST_F(MessageReaderTest, OfAnAnswerThatIsTooLargeItsRequestIsTold) {
  ConnectAndCheck();
  PeerSends(LargeAnswer(1, 4, 120));  // 1000 bytes.
  PeerSends(LargeAnswer(2, 4, 121));
  PeerSends(LargeAnswer(3, 0, 122));
  ExpectMessage(1);
  ExpectDropped(4);
  ExpectDropped(0);
  // It has used its number.
  PeerSends(Join(HonestMessage(3), kNullRoot));
  ExpectDataLoss("message 3 after 3");
}

TEST_F(MessageReaderTest, OfASplitAnswerThatIsTooLargeItsRequestIsToldOnce) {
  ConnectAndCheck();
  PeerSendsSplit(1, LargeAnswer(1, 4, 122), 400);
  PeerSendsSplit(2, LargeAnswer(2, 3, 500), 2000);
  PeerSends(Join(HonestMessage(3), kNullRoot));
  ExpectDropped(4);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Reads<std::monostate>().has_value());
  ExpectDropped(3);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Reads<std::monostate>().has_value());
  ExpectMessage(3);
}

TEST_F(MessageReaderTest, OfWhatCannotBeAnAnswerNoRequestIsTold) {
  ConnectAndCheck();
  PeerSendsSplit(1, LargeAnswer(1, kNextOwnId, 122), 1000);
  ExpectDropped(0);
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  PeerSendsSplit(2, LargeAnswer(2, ~uint64_t{0}, 122), 1000);
  ExpectDropped(0);
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  // Too little comes first.
  PeerSendsSplit(3, LargeAnswer(3, 4, 122), 23);
  ExpectDropped(0);
}

TEST_F(MessageReaderTest, WhatWasSaidOfOneSplitMessageIsNotSaidOfTheNext) {
  ConnectAndCheck();
  PeerSendsSplit(1, LargeAnswer(1, 4, 122), 1000);
  PeerSendsSplit(2, LargeAnswer(2, 0, 122), 1000);
  ExpectDropped(4);
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  ExpectDropped(0);
}

TEST_F(MessageReaderTest, DescriptorsComeWithTheirMessage) {
  ConnectAndCheck();
  MessageHeader header = HonestMessage(1);
  header.descriptors = 2;
  PeerSends(Join(header, kNullRoot), 2);
  PeerSends(Join(HonestMessage(2), kNullRoot));
  header.id = 3;
  header.descriptors = 1;
  PeerSendsSplit(3, Join(header, kNullRoot), 16, /*descriptors=*/1);
  for (const size_t descriptors : {2, 0, 1}) {
    if (descriptors == 1) {
      EXPECT_TRUE(Reads<std::monostate>().has_value());
    }
    const std::optional<IncomingMessage::Ptr> message = Reads<IncomingMessage::Ptr>();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ((*message)->descriptors().size(), descriptors);
  }
}

TEST_F(MessageReaderTest, DescriptorsOfWhatIsDroppedAreClosed) {
  ConnectAndCheck();
  const World before = World::Now();
  PeerSends(LargeAnswer(1, 4, 122, /*descriptors=*/2), 2);
  ExpectDropped(4);
  EXPECT_EQ(World::Now(), before);
  PeerSendsSplit(2, LargeAnswer(2, 4, 122, /*descriptors=*/2), 1000, /*descriptors=*/2);
  ExpectDropped(4);
  EXPECT_TRUE(Reads<std::monostate>().has_value());
  EXPECT_EQ(World::Now(), before);
  // The same for what is refused.
  MessageHeader header = HonestMessage(3);
  header.descriptors = 1;
  PeerSends(Join(header, kNullRoot), 2);
  ExpectDataLoss("descriptors");
  EXPECT_EQ(World::Now(), before);
}

class StoredMessageReaderTest : public MessageReaderTest {
 protected:
  StoredMessageReaderTest() {
    std::tie(peers_store_, store_) = FakeStore::CreatePair();
    Build(1, 100'000);
  }

  void Build(size_t parts, size_t bytes) {
    message_ = OutgoingMessage::New(peers_store_);
    testing::Fill(message_->builder().getRoot<Parcel>(), 5, parts, bytes);
    EXPECT_OK(message_->Seal());
  }

  // The record of message `id`, under a loan of its own.
  Bytes Record(uint64_t id, std::vector<SegmentAddress> addresses) {
    MessageHeader header = HonestMessage(id);
    header.flags = kStoredFlag;
    header.inline_words = static_cast<uint16_t>(message_->inline_segment().size() / 8);
    header.segments = static_cast<uint16_t>(addresses.size());
    const absl::StatusOr<LoanHandle> loan = message_->Lend();
    EXPECT_OK(loan);
    loan_ = loan.value_or(LoanHandle());
    return Join(header, loan_, addresses, Bytes(message_->inline_segment().begin(), message_->inline_segment().end()));
  }
  std::vector<SegmentAddress> Addresses() const { return {message_->addresses().begin(), message_->addresses().end()}; }

  std::shared_ptr<FakeStore> peers_store_;
  std::shared_ptr<FakeStore> store_;
  OutgoingMessage::Ptr message_;
  LoanHandle loan_;  // The last.
};

TEST_F(StoredMessageReaderTest, AStoredMessageIsBorrowedWhateverItsSize) {
  ConnectAndCheck(store_);
  Build(120, 1000);
  const Bytes record = Record(1, Addresses());
  ASSERT_GT(record.size(), kMaxBytes);
  PeerSends(record);
  {
    const std::optional<IncomingMessage::Ptr> message = Reads<IncomingMessage::Ptr>();
    ASSERT_TRUE(message.has_value());
    EXPECT_TRUE(testing::IsFilled((*message)->root().as<Parcel>(), 5, 120, 1000));
    EXPECT_GE((*message)->stored_bytes(), 120'000u);
    EXPECT_EQ(peers_store_->loans(), 1u);
  }
  EXPECT_EQ(peers_store_->loans(), 0u);
}

TEST_F(StoredMessageReaderTest, AJoinedMessageIsBorrowedToo) {
  ConnectAndCheck(store_);
  PeerSendsSplit(1, Record(1, Addresses()), 50);
  std::optional<Arrival> arrival;
  do {
    absl::StatusOr<std::optional<Arrival>> next = reader_->TryRead();
    ASSERT_OK(next);
    ASSERT_TRUE(next->has_value());
    arrival = *std::move(next);
  } while (std::holds_alternative<std::monostate>(*arrival));
  ASSERT_TRUE(std::holds_alternative<IncomingMessage::Ptr>(*arrival));
  EXPECT_TRUE(testing::IsFilled(std::get<IncomingMessage::Ptr>(*arrival)->root().as<Parcel>(), 5, 1, 100'000));
  arrival.reset();
  EXPECT_EQ(peers_store_->loans(), 0u);
}

TEST_F(StoredMessageReaderTest, AForgedAddressIsRefusedAndTheLoanGivenBack) {
  ConnectAndCheck(store_);
  std::vector<SegmentAddress> addresses = Addresses();
  addresses[0].offset += 8;
  PeerSends(Record(1, addresses));
  EXPECT_THAT(reader_->TryRead(), StatusIs(kDataLoss));
  EXPECT_EQ(peers_store_->loans(), 0u);
}

TEST_F(StoredMessageReaderTest, WithoutAStoreAStoredMessageIsRefused) {
  ConnectAndCheck();
  PeerSends(Record(1, Addresses()));
  EXPECT_THAT(reader_->TryRead(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("upgrade both ends with their sessions")));
  message_->TakeBack(loan_);
}

TEST_F(MessageReaderTest, ThePeersEndComesAfterWhatItSent) {
  ConnectAndCheck();
  PeerSends(Join(HonestMessage(1), kNullRoot));
  ASSERT_OK(peer_->FinishSending());
  ExpectMessage(1);
  EXPECT_THAT(reader_->TryRead(), StatusIs(absl::StatusCode::kOutOfRange));

  ConnectAndCheck();
  PeerSends(Join(HonestMessage(1), kNullRoot));
  peer_->Close();
  ExpectMessage(1);
  EXPECT_THAT(reader_->TryRead(), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
