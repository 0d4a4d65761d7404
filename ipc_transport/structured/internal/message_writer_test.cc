#include "ipc_transport/structured/internal/message_writer.h"

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/structured/internal/heap_bytes.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/joiner.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/store.h"
#include "ipc_transport/structured/testing/fake_store.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_transport/structured/testing/records.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using sluice_test::Parcel;
using testing::Bytes;
using testing::FakeStore;
using testing::IsFilled;
using testing::IsOkAndHolds;
using testing::StatusIs;
using testing::TimeLimit;

constexpr auto kDeadlineExceeded = absl::StatusCode::kDeadlineExceeded;

OutgoingMessage::Ptr NewMessage(uint64_t number, size_t parts, size_t bytes,
                                std::shared_ptr<MessageStore> store = nullptr) {
  OutgoingMessage::Ptr message = OutgoingMessage::New(std::move(store));
  testing::Fill(message->builder().getRoot<Parcel>(), number, parts, bytes);
  return message;
}

OutgoingMessage::Ptr Sealed(OutgoingMessage::Ptr message) {
  EXPECT_OK(message->Seal());
  return message;
}

// A writer whose peer receives raw records.
class MessageWriterTest : public ::testing::Test {
 protected:
  void SetUp() override { Connect({}); }

  void Connect(const RingPipeOptions& options) {
    auto pair = RingPipe::CreatePair(options);
    ASSERT_OK(pair);
    writer_.reset();
    pipe_ = std::move(pair->first);
    peer_ = std::move(pair->second);
    buffer_.resize(peer_->max_message_bytes());
    writer_.emplace(pipe_.get(), IdentityOf<Parcel>(), /*credit=*/77, [this] {
      ++idle_calls_;
      if (idle_drains_) Drain();
    });
  }

  void Fill() {
    absl::StatusOr<bool> sent = true;
    while (sent.ok() && *sent) sent = pipe_->TrySend(Bytes(8));
    ASSERT_OK(sent);
  }
  void Drain() {
    while (true) {
      const absl::StatusOr<std::optional<size_t>> bytes = peer_->TryReceive(absl::MakeSpan(buffer_), nullptr);
      ASSERT_OK(bytes);
      if (!bytes->has_value()) return;
    }
  }

  // The next record, which is here; its views are valid until the next call.
  template <typename T>
  std::optional<T> Received() {
    descriptors_.clear();
    const absl::StatusOr<std::optional<size_t>> bytes = peer_->TryReceive(absl::MakeSpan(buffer_), &descriptors_);
    EXPECT_OK(bytes);
    if (!bytes.ok() || !bytes->has_value()) return std::nullopt;
    const absl::StatusOr<Record> record = ParseRecord(absl::MakeConstSpan(buffer_).first(**bytes), descriptors_.size());
    EXPECT_OK(record);
    if (!record.ok() || !std::holds_alternative<T>(*record)) return std::nullopt;
    return std::get<T>(*record);
  }
  void ExpectNothingMore() {
    EXPECT_THAT(peer_->TryReceive(absl::MakeSpan(buffer_), nullptr), IsOkAndHolds(std::nullopt));
  }

  bool idle_drains_ = false;
  int idle_calls_ = 0;
  std::unique_ptr<Pipe> pipe_;
  std::unique_ptr<Pipe> peer_;
  Bytes buffer_;
  std::vector<Fd> descriptors_;
  std::optional<MessageWriter> writer_;
};

void ExpectParcel(const MessageRecord& record, std::unique_ptr<BorrowedSegments> borrowed, uint64_t number,
                  size_t parts, size_t bytes) {
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr message, IncomingMessage::Copy(record, std::move(borrowed), {}));
  EXPECT_TRUE(IsFilled(message->root().as<Parcel>(), number, parts, bytes));
}

TEST_F(MessageWriterTest, TheSchemaIsOfferedOnce) {
  for (int i = 0; i < 2; ++i) ASSERT_OK(writer_->OfferSchema(Deadline::Passed()));
  const std::optional<SchemaRecord> schema = Received<SchemaRecord>();
  ASSERT_TRUE(schema.has_value());
  EXPECT_EQ(schema->min_version, kRecordVersion);
  EXPECT_EQ(schema->max_version, kRecordVersion);
  EXPECT_EQ(schema->type_id, IdentityOf<Parcel>().type_id);
  EXPECT_EQ(schema->layout_hash, IdentityOf<Parcel>().layout_hash);
  EXPECT_EQ(schema->name, IdentityOf<Parcel>().name);
  EXPECT_EQ(schema->credit, 77u);
  ExpectNothingMore();
}

TEST_F(MessageWriterTest, ASchemaThatFoundNoRoomIsOfferedAgain) {
  Connect({.ring_bytes = 4096});
  Fill();
  EXPECT_THAT(writer_->OfferSchema(Deadline::Passed()), StatusIs(kDeadlineExceeded));
  Drain();
  ASSERT_OK(writer_->OfferSchema(Deadline::Passed()));
  EXPECT_TRUE(Received<SchemaRecord>().has_value());
}

TEST_F(MessageWriterTest, ASmallMessageIsOneRecord) {
  const OutgoingMessage::Ptr message = Sealed(NewMessage(5, 1, 100));
  ASSERT_OK(writer_->Write(*message, 3, {.flags = kRequestFlag, .in_reply_to = 2}, Deadline::Passed()));
  const std::optional<MessageRecord> record = Received<MessageRecord>();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->id, 3u);
  EXPECT_EQ(record->in_reply_to, 2u);
  EXPECT_TRUE(record->is_request);
  EXPECT_FALSE(record->more_follow);
  EXPECT_FALSE(record->is_stored);
  EXPECT_EQ(record->descriptors, 0u);
  EXPECT_TRUE(record->attached_words.empty());
  ExpectParcel(*record, nullptr, 5, 1, 100);
  ExpectNothingMore();
}

TEST_F(MessageWriterTest, TheRecordSaysWhatTheMessageIsToThePeer) {
  const OutgoingMessage::Ptr message = Sealed(NewMessage(5, 0, 0));
  ASSERT_OK(writer_->Write(*message, 1, {}, Deadline::Passed()));
  ASSERT_OK(writer_->Write(*message, 2, {.flags = kMoreFlag, .in_reply_to = 9}, Deadline::Passed()));
  const std::optional<MessageRecord> plain = Received<MessageRecord>();
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->in_reply_to, 0u);
  EXPECT_FALSE(plain->is_request);
  EXPECT_FALSE(plain->more_follow);
  const std::optional<MessageRecord> answer = Received<MessageRecord>();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->id, 2u);
  EXPECT_EQ(answer->in_reply_to, 9u);
  EXPECT_FALSE(answer->is_request);
  EXPECT_TRUE(answer->more_follow);
}

TEST_F(MessageWriterTest, DescriptorsGoWithTheMessage) {
  OutgoingMessage::Ptr message = NewMessage(5, 0, 0);
  for (int i = 0; i < 2; ++i) ASSERT_OK(message->AttachDescriptor(Fd(dup(0))));
  ASSERT_OK(message->Seal());
  ASSERT_OK(writer_->Write(*message, 1, {}, Deadline::Passed()));
  const std::optional<MessageRecord> record = Received<MessageRecord>();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->descriptors, 2u);
  EXPECT_EQ(descriptors_.size(), 2u);
}

TEST_F(MessageWriterTest, SegmentsInPrivateMemoryAreAttached) {
  const OutgoingMessage::Ptr message = Sealed(NewMessage(5, 2, 10'000));
  ASSERT_FALSE(message->attached().empty());
  ASSERT_OK(writer_->Write(*message, 1, {}, Deadline::Passed()));
  const std::optional<MessageRecord> record = Received<MessageRecord>();
  ASSERT_TRUE(record.has_value());
  EXPECT_FALSE(record->is_stored);
  ASSERT_EQ(record->attached_words.size(), message->attached().size());
  for (size_t i = 0; i < record->attached_words.size(); ++i) {
    EXPECT_EQ(record->attached_words[i] * 8, message->attached()[i].size());
  }
  ExpectParcel(*record, nullptr, 5, 2, 10'000);
}

TEST_F(MessageWriterTest, OfAStoredMessageTheRecordHasTheLoanAndTheAddresses) {
  auto [own, peers] = FakeStore::CreatePair();
  const OutgoingMessage::Ptr message = Sealed(NewMessage(5, 2, 100'000, own));
  ASSERT_OK(writer_->Write(*message, 1, {.flags = kRequestFlag, .in_reply_to = 0}, Deadline::Passed()));
  const std::optional<MessageRecord> record = Received<MessageRecord>();
  ASSERT_TRUE(record.has_value());
  EXPECT_TRUE(record->is_stored);
  EXPECT_TRUE(record->is_request);
  ASSERT_EQ(record->addresses.size(), message->addresses().size());
  for (size_t i = 0; i < record->addresses.size(); ++i) {
    EXPECT_EQ(record->addresses[i].region, message->addresses()[i].region);
    EXPECT_EQ(record->addresses[i].offset, message->addresses()[i].offset);
    EXPECT_EQ(record->addresses[i].bytes, message->addresses()[i].bytes);
  }
  EXPECT_EQ(own->loans(), 1u);
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<BorrowedSegments> borrowed, peers->Borrow(record->loan, record->addresses));
  ExpectParcel(*record, std::move(borrowed), 5, 2, 100'000);
  EXPECT_EQ(own->loans(), 0u);
}

TEST_F(MessageWriterTest, AMessageThatIsLongerThanARecordIsSplit) {
  Connect({.ring_bytes = 16384});
  OutgoingMessage::Ptr message = NewMessage(5, 2, 5'000);
  ASSERT_OK(message->AttachDescriptor(Fd(dup(0))));
  ASSERT_OK(message->Seal());
  ASSERT_GT(message->bytes(), 2 * pipe_->max_message_bytes());
  ASSERT_OK(writer_->Write(*message, 7, {.flags = 0, .in_reply_to = 3}, Deadline::Passed()));
  Joiner joiner(1'000'000);
  for (bool is_complete = false; !is_complete;) {
    const std::optional<FragmentRecord> fragment = Received<FragmentRecord>();
    ASSERT_TRUE(fragment.has_value());
    EXPECT_EQ(fragment->id, 7u);
    EXPECT_EQ(fragment->descriptors, fragment->is_last() ? 1u : 0u);
    ASSERT_OK_AND_ASSIGN(is_complete, joiner.Add(*fragment));
  }
  ExpectNothingMore();
  const size_t total = joiner.total();
  HeapBytes whole = joiner.Take();
  MessageRecord record;
  ASSERT_OK(ParseMessage(whole.first(total), 1, record));
  EXPECT_EQ(record.id, 7u);
  EXPECT_EQ(record.in_reply_to, 3u);
  ExpectParcel(record, nullptr, 5, 2, 5'000);
}

TEST_F(MessageWriterTest, AStoredMessageThatIsNotSentTakesItsLoanBack) {
  Connect({.ring_bytes = 4096});
  auto [own, peers] = FakeStore::CreatePair();
  const OutgoingMessage::Ptr message = Sealed(NewMessage(5, 1, 100'000, own));
  Fill();
  EXPECT_THAT(writer_->Write(*message, 1, {}, Deadline::Passed()), StatusIs(kDeadlineExceeded));
  EXPECT_EQ(own->loans(), 0u);
  Drain();
  ASSERT_OK(writer_->Write(*message, 2, {}, Deadline::Passed()));
  EXPECT_EQ(own->loans(), 1u);
  const std::optional<MessageRecord> record = Received<MessageRecord>();
  ASSERT_TRUE(record.has_value());
  peer_->Close();
  EXPECT_THAT(writer_->Write(*message, 3, {}, TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(own->loans(), 1u);
  EXPECT_OK(peers->Borrow(record->loan, record->addresses));
  EXPECT_EQ(own->loans(), 0u);
}

TEST_F(MessageWriterTest, WithoutALoanNothingIsSent) {
  auto [own, peers] = FakeStore::CreatePair({.loans = 0});
  const OutgoingMessage::Ptr message = Sealed(NewMessage(5, 1, 100'000, own));
  EXPECT_THAT(writer_->Write(*message, 1, {}, TimeLimit()), StatusIs(absl::StatusCode::kResourceExhausted));
  ExpectNothingMore();
}

TEST_F(MessageWriterTest, ControlRecordsAreSentWhereThereIsRoom) {
  Connect({.ring_bytes = 4096});
  EXPECT_THAT(writer_->TryWriteControl(RecordKind::kCredit, 500), IsOkAndHolds(true));
  EXPECT_THAT(writer_->TryWriteControl(RecordKind::kUnwanted, 6), IsOkAndHolds(true));
  const std::optional<CreditRecord> credit = Received<CreditRecord>();
  ASSERT_TRUE(credit.has_value());
  EXPECT_EQ(credit->messages, 500u);
  const std::optional<UnwantedRecord> unwanted = Received<UnwantedRecord>();
  ASSERT_TRUE(unwanted.has_value());
  EXPECT_EQ(unwanted->request, 6u);
  Fill();
  EXPECT_THAT(writer_->TryWriteControl(RecordKind::kCredit, 501), IsOkAndHolds(false));
  EXPECT_EQ(idle_calls_, 0);
}

TEST_F(MessageWriterTest, WhileThereIsNoRoomThisSideReceives) {
  Connect({.ring_bytes = 4096});
  const OutgoingMessage::Ptr message = Sealed(NewMessage(5, 0, 0));
  Fill();
  idle_drains_ = true;
  ASSERT_OK(writer_->Write(*message, 1, {}, TimeLimit()));
  EXPECT_GE(idle_calls_, 1);
  EXPECT_TRUE(Received<MessageRecord>().has_value());
}

TEST_F(MessageWriterTest, WhileASplitMessageFindsNoRoomThisSideReceives) {
  Connect({.ring_bytes = 4096});
  idle_drains_ = true;
  ASSERT_OK(writer_->Write(*Sealed(NewMessage(5, 1, 20'000)), 1, {}, TimeLimit()));
  EXPECT_GE(idle_calls_, 2);
}

TEST_F(MessageWriterTest, WhereThereIsRoomNothingElseIsDone) {
  const OutgoingMessage::Ptr message = Sealed(NewMessage(5, 1, 10'000));
  ASSERT_OK(writer_->OfferSchema(TimeLimit()));
  ASSERT_OK(writer_->Write(*message, 1, {}, TimeLimit()));
  EXPECT_EQ(idle_calls_, 0);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
