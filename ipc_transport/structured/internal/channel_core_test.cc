#include "ipc_transport/structured/internal/channel_core.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_encoder.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/store.h"
#include "ipc_transport/structured/testing/fake_store.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_transport/structured/testing/records.h"
#include "ipc_transport/structured/testing/schemas.h"
#include "ipc_util/deadline.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using sluice_test::Parcel;
using ::testing::AllOf;
using testing::Bytes;
using ::testing::HasSubstr;
using testing::HonestControl;
using testing::HonestFragment;
using testing::HonestMessage;
using testing::HonestSchema;
using testing::IsOk;
using testing::Join;
using testing::kNullRoot;
using testing::ParsedSchema;
using testing::StatusIs;
using testing::TimeLimit;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kDeadlineExceeded = absl::StatusCode::kDeadlineExceeded;
constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;

const SchemaIdentity& Schema() { return IdentityOf<Parcel>(); }

OutgoingMessage::Ptr NewMessage(uint64_t number, size_t bytes = 0) {
  OutgoingMessage::Ptr message = OutgoingMessage::New(nullptr);
  testing::Fill(message->builder().getRoot<Parcel>(), number, bytes == 0 ? 0 : 1, bytes);
  return message;
}

// A core whose peer sends and receives raw records. The peer's answers may lie in the pipe before the request is made:
// the first message of a core has the id 1, the next 2.
class ChannelCoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Connect(); }

  void Connect(const StructuredChannelOptions& options = {}, std::shared_ptr<MessageStore> store = nullptr) {
    auto pair = RingPipe::CreatePair();
    ASSERT_OK(pair);
    core_ = ChannelCore::Create(Channel(std::move(pair->first)), std::move(store), Schema(), options);
    peer_ = Channel(std::move(pair->second));
  }

  void PeerSends(const Bytes& record, absl::Span<const FdView> descriptors = {}) {
    ASSERT_OK(peer_.Send(record, descriptors, TimeLimit()));
  }
  void PeerSendsSchema() { PeerSends(Join(HonestSchema(Schema()), Schema().name)); }
  void PeerSendsMessage(uint64_t id, uint64_t in_reply_to = 0) {
    MessageHeader header = HonestMessage(id);
    header.in_reply_to = in_reply_to;
    PeerSends(Join(header, kNullRoot));
  }
  // Message `id` of one attached segment with `words` words.
  void PeerSendsLarge(uint64_t id, uint64_t words) {
    MessageHeader header = HonestMessage(id);
    header.segments = 1;
    PeerSends(Join(header, words, kNullRoot, std::vector<uint64_t>(words)));
  }

  // The next record of the core, checked.
  Record PeerReceives() {
    buffer_.resize(peer_.max_message_bytes());
    const absl::StatusOr<size_t> size = peer_.Receive(absl::MakeSpan(buffer_), nullptr, TimeLimit());
    EXPECT_THAT(size, IsOk());
    absl::StatusOr<Record> record = ParseRecord(absl::MakeConstSpan(buffer_).first(size.value_or(0)), 0);
    EXPECT_THAT(record, IsOk());
    return record.ok() ? *record : Record();
  }

  absl::StatusOr<IncomingMessage::Ptr> Request() { return core_->Request(NewMessage(0).get(), {}, Deadline::Passed()); }
  absl::StatusOr<IncomingMessage::Ptr> Receive() { return core_->Receive(Deadline::Passed()); }
  absl::Status Send() { return core_->Send(NewMessage(0).get(), {}, Deadline::Passed()); }

  void ExpectReceived(uint64_t id) {
    const absl::StatusOr<IncomingMessage::Ptr> message = Receive();
    ASSERT_THAT(message, IsOk());
    EXPECT_EQ((*message)->id(), id);
  }

  // The protocol is broken: every call says so from now on, and the peer finds a closed channel.
  void ExpectBroken(absl::string_view text) {
    for (int i = 0; i < 2; ++i) EXPECT_THAT(Receive(), StatusIs(kDataLoss, HasSubstr(std::string(text))));
    EXPECT_THAT(Send(), StatusIs(kDataLoss));
    EXPECT_THAT(Request(), StatusIs(kDataLoss));
    buffer_.resize(peer_.max_message_bytes());
    absl::StatusOr<size_t> end;
    do {
      end = peer_.Receive(absl::MakeSpan(buffer_), nullptr, TimeLimit());
    } while (end.ok());
    EXPECT_THAT(end, StatusIs(absl::StatusCode::kUnavailable));
  }

  std::shared_ptr<ChannelCore> core_;
  Channel peer_;
  Bytes buffer_;
};

TEST_F(ChannelCoreTest, TheFirstRecordIsTheSchemaAndNoOther) {
  ASSERT_OK(Send());
  const Record first = PeerReceives();
  ASSERT_TRUE(std::holds_alternative<SchemaRecord>(first));
  EXPECT_EQ(std::get<SchemaRecord>(first).type_id, Schema().type_id);
  EXPECT_EQ(std::get<SchemaRecord>(first).layout_hash, Schema().layout_hash);
  EXPECT_EQ(std::get<SchemaRecord>(first).name, Schema().name);
  for (uint64_t id = 1; id < 4; ++id) {
    const Record record = PeerReceives();
    ASSERT_TRUE(std::holds_alternative<MessageRecord>(record));
    EXPECT_EQ(std::get<MessageRecord>(record).id, id);
    ASSERT_OK(Send());
  }
}

TEST_F(ChannelCoreTest, AFullPipeDelaysTheSchema) {
  auto pair = RingPipe::CreatePair({.ring_bytes = 4096});
  ASSERT_OK(pair);
  int filled = 0;
  for (absl::StatusOr<bool> sent = true; sent.ok() && *sent; filled += *sent) {
    sent = pair->first->TrySend(Bytes(8));
    ASSERT_OK(sent);
  }
  core_ = ChannelCore::Create(Channel(std::move(pair->first)), nullptr, Schema(), {});
  peer_ = Channel(std::move(pair->second));
  EXPECT_THAT(Send(), StatusIs(kDeadlineExceeded));
  buffer_.resize(peer_.max_message_bytes());
  for (int i = 0; i < filled; ++i) ASSERT_OK(peer_.Receive(absl::MakeSpan(buffer_), nullptr, TimeLimit()));
  ASSERT_OK(Send());
  EXPECT_TRUE(std::holds_alternative<SchemaRecord>(PeerReceives()));
  EXPECT_TRUE(std::holds_alternative<MessageRecord>(PeerReceives()));
}

TEST_F(ChannelCoreTest, AnInvalidChannelIsReportedByEveryCall) {
  core_ = ChannelCore::Create(Channel(), nullptr, Schema(), {});
  core_->set_wait_mode(WaitMode::kSleep);
  for (const absl::Status& status : {Send(), Receive().status(), Request().status()}) {
    EXPECT_THAT(status, StatusIs(kFailedPrecondition, HasSubstr("without a pipe")));
  }
}

TEST_F(ChannelCoreTest, APipeMustCarryTheHeaders) {
  for (const size_t bytes : {kMinPipeMessageBytes - 1, kMinPipeMessageBytes}) {
    auto pair = SocketPipe::CreatePair({.max_message_bytes = bytes});
    ASSERT_OK(pair);
    core_ = ChannelCore::Create(Channel(std::move(pair->first)), nullptr, Schema(), {});
    if (bytes < kMinPipeMessageBytes) {
      EXPECT_THAT(Send(), StatusIs(kFailedPrecondition, AllOf(HasSubstr("255 bytes"), HasSubstr("256"))));
    } else {
      EXPECT_THAT(Send(), IsOk());
    }
  }
}

TEST_F(ChannelCoreTest, ANullMessageIsRefused) {
  EXPECT_THAT(core_->Send(nullptr, {}, Deadline::Passed()), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(core_->Request(nullptr, {}, Deadline::Passed()), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ChannelCoreTest, AnotherTypeIsReportedByTheFirstCallOfAnyKind) {
  const SchemaIdentity other = {.type_id = 77, .layout_hash = 1, .name = "other.capnp:Other"};
  const std::function<absl::Status()> calls[] = {[&] { return Send(); }, [&] { return Receive().status(); },
                                                 [&] { return Request().status(); }};
  for (const auto& call : calls) {
    Connect();
    PeerSends(Join(HonestSchema(other), other.name));
    for (int i = 0; i < 2; ++i) {
      EXPECT_THAT(call(), StatusIs(kFailedPrecondition,
                                   AllOf(HasSubstr("other.capnp:Other"), HasSubstr("parcel.capnp:Parcel"))));
    }
    // Nothing but this side's schema was sent, so that the peer finds out by itself.
    EXPECT_TRUE(std::holds_alternative<SchemaRecord>(PeerReceives()));
    EXPECT_THAT(peer_.TryReceive(absl::MakeSpan(buffer_)), testing::IsOkAndHolds(std::nullopt));
  }
}

// Two ends whose programs were built from different versions of a schema.
class SchemaVersionsTest : public ::testing::Test {
 protected:
  void Connect(const std::string& ours, const std::string& theirs) {
    auto pair = RingPipe::CreatePair({.ring_bytes = 4096});  // Nodes take several records.
    ASSERT_OK(pair);
    for (const auto& [i, fields] : {std::pair(0, ours), {1, theirs}}) {
      schemas_[i] = std::unique_ptr<ParsedSchema>(new ParsedSchema(ParsedSchema::OfFields(fields)));
      identities_[i] = IdentityOf(schemas_[i]->type());
    }
    ours_ = ChannelCore::Create(Channel(std::move(pair->first)), nullptr, identities_[0], {});
    theirs_ = ChannelCore::Create(Channel(std::move(pair->second)), nullptr, identities_[1], {});
  }

  std::unique_ptr<ParsedSchema> schemas_[2];
  SchemaIdentity identities_[2];
  std::shared_ptr<ChannelCore> ours_;
  std::shared_ptr<ChannelCore> theirs_;
};

std::string ManyFields(int fields) {
  std::string text;
  for (int i = 0; i < fields; ++i) absl::StrAppend(&text, "f", i, " @", i, " :UInt32;");
  return text;
}

TEST_F(SchemaVersionsTest, ThatFitUnderstandEachOther) {
  for (const auto& [old_fields, new_fields] : {std::pair(1, 2), {2, 200}, {200, 2}}) {
    ASSERT_NO_FATAL_FAILURE(Connect(ManyFields(old_fields), ManyFields(new_fields)));
    std::thread server([&] {
      const absl::StatusOr<IncomingMessage::Ptr> notice = theirs_->Receive(TimeLimit());
      ASSERT_THAT(notice, IsOk());
      EXPECT_EQ((*notice)->id(), 1u);
      const absl::StatusOr<IncomingMessage::Ptr> request = theirs_->Receive(TimeLimit());
      ASSERT_THAT(request, IsOk());
      EXPECT_THAT(ChannelCore::Reply(NewMessage(3).get(), {.answered = request->get()}, TimeLimit()), IsOk());
    });
    EXPECT_THAT(ours_->Send(NewMessage(1).get(), {}, TimeLimit()), IsOk());
    EXPECT_THAT(ours_->Request(NewMessage(2).get(), {}, TimeLimit()), IsOk());
    server.join();
  }
}

TEST_F(SchemaVersionsTest, ThatDoNotFitAreNamedOnBothSides) {
  ASSERT_NO_FATAL_FAILURE(Connect("f @0 :UInt32;", "f @0 :Text;"));
  std::thread other([&] {
    for (int i = 0; i < 2; ++i) {
      EXPECT_THAT(theirs_->Receive(TimeLimit()), StatusIs(kFailedPrecondition, HasSubstr("test.capnp:T")));
    }
  });
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(ours_->Receive(TimeLimit()), StatusIs(kFailedPrecondition, HasSubstr("test.capnp:T")));
  }
  EXPECT_THAT(ours_->Send(NewMessage(1).get(), {}, TimeLimit()), StatusIs(kFailedPrecondition));
  other.join();
}

TEST_F(ChannelCoreTest, APeerOfAnotherLayoutSendsItsNodesOnceAndWhole) {
  const Bytes nodes = *EncodeSchema(Schema().schema);
  SchemaIdentity other = Schema();
  ++other.layout_hash;
  const auto part = [&](uint32_t total, const Bytes& bytes) {
    PeerSends(Join(
        NodesHeader{
            .version = kRecordVersion, .kind = static_cast<uint8_t>(RecordKind::kNodes), .reserved = 0, .total = total},
        bytes));
  };
  const auto total = static_cast<uint32_t>(nodes.size());
  PeerSends(Join(HonestSchema(other), other.name));
  PeerSendsMessage(1);
  part(total, Bytes(nodes.begin(), nodes.begin() + 64));
  EXPECT_THAT(Receive(), StatusIs(kDeadlineExceeded));
  part(total, Bytes(nodes.begin() + 64, nodes.end()));
  ExpectReceived(1);
  part(total, nodes);
  ExpectBroken("nobody asked for");

  Connect();
  PeerSends(Join(HonestSchema(other), other.name));
  part(100, Bytes(60));
  part(100, Bytes(60));
  EXPECT_THAT(Receive(), StatusIs(kDataLoss, HasSubstr("120 bytes of a schema of 100")));

  Connect();
  PeerSends(Join(HonestSchema(other), other.name));
  part(64, Bytes(64, std::byte{0xff}));
  EXPECT_THAT(Receive(), StatusIs(kDataLoss));
}

// M5
TEST_F(ChannelCoreTest, RecordsInTheWrongState) {
  PeerSendsMessage(1);
  ExpectBroken("first record does not say which type");

  Connect();
  PeerSends(Join(HonestFragment(1, 100), std::string(10, 'x')));
  ExpectBroken("first record does not say which type");

  Connect();
  PeerSendsSchema();
  PeerSendsSchema();
  ExpectBroken("said twice");

  Connect();
  PeerSendsSchema();
  PeerSends(Bytes(24));
  ExpectBroken("kind 0");

  Connect();
  PeerSendsSchema();
  PeerSends({});
  ExpectBroken("less than its header says");
}

TEST_F(ChannelCoreTest, IdsRise) {
  for (const uint64_t second : {4, 5}) {
    Connect();
    PeerSendsSchema();
    PeerSendsMessage(5);
    PeerSendsMessage(second);
    ExpectReceived(5);
    ExpectBroken(absl::StrCat("message ", second, " after 5"));
  }
  Connect();
  PeerSendsSchema();
  PeerSendsMessage(1);
  PeerSendsMessage(~uint64_t{0});
  ExpectReceived(1);
  ExpectReceived(~uint64_t{0});
}

TEST_F(ChannelCoreTest, AnAnswerFollowsItsRequest) {
  PeerSendsSchema();
  PeerSendsMessage(1, 1);
  EXPECT_THAT(Request(), IsOk());
  PeerSendsMessage(2, 2);  // The next request's, before it is made.
  ExpectBroken("answered message 2 before it was sent");
}

TEST_F(ChannelCoreTest, LateAnswersAreDroppedAndCounted) {
  PeerSendsSchema();
  EXPECT_THAT(Request(), StatusIs(kDeadlineExceeded, HasSubstr("answer to request 1")));
  PeerSendsMessage(1, 1);
  PeerSendsMessage(2);
  PeerSendsMessage(3, 2);
  PeerSendsMessage(4, 2);
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr answer, Request());
  EXPECT_EQ(answer->id(), 3u);
  EXPECT_EQ(core_->counters().late_answers, 1u);
  ExpectReceived(2);
  EXPECT_THAT(Receive(), StatusIs(kDeadlineExceeded));
  EXPECT_EQ(core_->counters().late_answers, 2u);
}

TEST_F(ChannelCoreTest, DescriptorsOfWhatIsDroppedAreClosed) {
  PeerSendsSchema();
  EXPECT_THAT(Request(), StatusIs(kDeadlineExceeded));
  const testing::World before = testing::World::Now();
  MessageHeader header = HonestMessage(1);
  header.in_reply_to = 1;
  header.descriptors = 1;
  const FdView descriptor(0);
  PeerSends(Join(header, kNullRoot), absl::MakeConstSpan(&descriptor, 1));
  EXPECT_THAT(Receive(), StatusIs(kDeadlineExceeded));
  EXPECT_EQ(core_->counters().late_answers, 1u);
  EXPECT_EQ(testing::World::Now(), before);
  // The same for a record that is refused.
  PeerSends(Join(HonestMessage(2), kNullRoot), absl::MakeConstSpan(&descriptor, 1));
  ExpectBroken("descriptors");
  EXPECT_EQ(testing::World::Now().descriptors.size(), before.descriptors.size());
}

TEST_F(ChannelCoreTest, TheFirstRecordAllowsAsManyMessagesAsTheOptionsSay) {
  for (const auto& [option, credit] :
       {std::pair<size_t, uint64_t>(0, 64), {64, 64}, {65, 65}, {1'000'000, 1'000'000}}) {
    Connect({.max_waiting_messages = option});
    const Record first = PeerReceives();
    ASSERT_TRUE(std::holds_alternative<SchemaRecord>(first));
    EXPECT_EQ(std::get<SchemaRecord>(first).credit, credit);
  }
}

TEST_F(ChannelCoreTest, APeerThatSendsMoreThanItMayIsRefused) {
  Connect({.max_waiting_messages = 64});
  PeerSendsSchema();
  for (uint64_t id = 1; id <= 64; ++id) PeerSendsMessage(id);
  PeerSendsMessage(65, 1);  // An answer needs no leave.
  ASSERT_OK(Request());
  PeerSendsMessage(66);
  EXPECT_THAT(Request(), StatusIs(kDataLoss, HasSubstr("more messages than it was allowed")));
}

TEST_F(ChannelCoreTest, WhatIsTakenMakesRoomForMore) {
  Connect({.max_waiting_messages = 64});
  PeerSendsSchema();
  EXPECT_TRUE(std::holds_alternative<SchemaRecord>(PeerReceives()));
  for (uint64_t id = 1; id <= 64; ++id) PeerSendsMessage(id);
  for (uint64_t id = 1; id <= 32; ++id) ExpectReceived(id);
  const Record credit = PeerReceives();
  ASSERT_TRUE(std::holds_alternative<CreditRecord>(credit));
  EXPECT_EQ(std::get<CreditRecord>(credit).messages, 96u);
  for (uint64_t id = 65; id <= 96; ++id) PeerSendsMessage(id);
  for (uint64_t id = 33; id <= 96; ++id) ExpectReceived(id);
}

TEST_F(ChannelCoreTest, SendsNoMoreThanThePeerAllows) {
  // Before anything is known of the peer, and as its first record says.
  for (int i = 0; i < 64; ++i) ASSERT_OK(Send());
  EXPECT_THAT(Send(), StatusIs(kDeadlineExceeded, HasSubstr("it has allowed 64")));
  EXPECT_THAT(Request(), StatusIs(kDeadlineExceeded));
  SchemaHeader header = HonestSchema(Schema());
  header.credit = 66;
  PeerSends(Join(header, Schema().name));
  for (int i = 0; i < 2; ++i) ASSERT_OK(Send());
  EXPECT_THAT(Send(), StatusIs(kDeadlineExceeded, HasSubstr("it has allowed 66")));
  // An answer needs none.
  MessageHeader request = HonestMessage(1);
  request.flags = kRequestFlag;
  PeerSends(Join(request, kNullRoot));
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr asked, Receive());
  EXPECT_OK(ChannelCore::Reply(NewMessage(5).get(), {.answered = asked.get()}, Deadline::Passed()));
  PeerSends(Join(HonestControl(RecordKind::kCredit, 67)));
  EXPECT_OK(Send());
  EXPECT_THAT(Send(), StatusIs(kDeadlineExceeded));
}

TEST_F(ChannelCoreTest, OnlyWhatWasSentCanBeLeftUnanswered) {
  PeerSendsSchema();
  const auto no_answer = [&](uint64_t request) { PeerSends(Join(HonestControl(RecordKind::kNoAnswer, request))); };
  no_answer(1);  // The request's, before it is made.
  EXPECT_THAT(Request(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("request 1 without an answer")));
  no_answer(1);  // Nobody waits any more.
  no_answer(2);
  ExpectBroken("will not answer request 2, which was not sent");
}

TEST_F(ChannelCoreTest, CreditDoesNotFall) {
  PeerSendsSchema();
  PeerSends(Join(HonestControl(RecordKind::kCredit, 63)));
  ExpectBroken("allows 63 messages after 64");
}

TEST_F(ChannelCoreTest, UnwantedAnswersAreToldToBothSides) {
  PeerSendsSchema();
  EXPECT_THAT(Request(), StatusIs(kDeadlineExceeded));
  PeerSendsMessage(1, 1);
  EXPECT_THAT(Receive(), StatusIs(kDeadlineExceeded));
  EXPECT_TRUE(std::holds_alternative<SchemaRecord>(PeerReceives()));
  EXPECT_TRUE(std::holds_alternative<MessageRecord>(PeerReceives()));
  const Record unwanted = PeerReceives();
  ASSERT_TRUE(std::holds_alternative<UnwantedRecord>(unwanted));
  EXPECT_EQ(std::get<UnwantedRecord>(unwanted).request, 1u);
  EXPECT_EQ(core_->counters().unwanted_answers, 0u);
  PeerSends(Join(HonestControl(RecordKind::kUnwanted, 7)));
  EXPECT_THAT(Receive(), StatusIs(kDeadlineExceeded));
  EXPECT_EQ(core_->counters().unwanted_answers, 1u);
}

TEST_F(ChannelCoreTest, WaitingMessagesTakeAsManyBytesAsTheOptionsSay) {
  Connect({.max_heap_message_bytes = 102'000});
  PeerSendsSchema();
  PeerSendsLarge(1, 6000);
  PeerSendsLarge(2, 6000);
  PeerSendsMessage(3, 1);
  ASSERT_OK(Request());
  PeerSendsLarge(4, 1000);
  EXPECT_THAT(Request(), StatusIs(kResourceExhausted, HasSubstr("max_heap_message_bytes")));
  for (const uint64_t id : {1, 2, 4}) ExpectReceived(id);
}

TEST_F(ChannelCoreTest, MessagesUpToTheLimitAreTaken) {
  // In one record: header, size, inline word, the rest.
  constexpr size_t kRest = (size_t{64} << 10) / 8 - 5;
  for (const uint64_t limit : {0, 65535, 65536}) {
    auto pair = RingPipe::CreatePair({.ring_bytes = size_t{1} << 20});
    ASSERT_OK(pair);
    core_ = ChannelCore::Create(Channel(std::move(pair->first)), nullptr, Schema(), {.max_heap_message_bytes = limit});
    peer_ = Channel(std::move(pair->second));
    PeerSendsSchema();
    PeerSendsLarge(1, kRest);
    PeerSendsLarge(2, kRest + 1);
    PeerSendsMessage(3);
    ExpectReceived(1);
    EXPECT_THAT(Receive(), StatusIs(kResourceExhausted, HasSubstr("65544 bytes, this side takes 65536")));
    ExpectReceived(3);
  }
}

TEST_F(ChannelCoreTest, FragmentsBeyondTheLimitAreDroppedAsTheyCome) {
  Connect({.max_heap_message_bytes = 100'000});
  PeerSendsSchema();
  FragmentHeader header = HonestFragment(1, 100'001);
  for (; header.offset < header.total; header.offset += 33'334) {
    PeerSends(Join(header, std::string(std::min<size_t>(33'334, header.total - header.offset), 'x')));
  }
  PeerSendsMessage(2);
  EXPECT_THAT(Receive(), StatusIs(kResourceExhausted, HasSubstr("100001")));
  ExpectReceived(2);
}

TEST_F(ChannelCoreTest, JoinsFragments) {
  PeerSendsSchema();
  const Bytes whole = Join(HonestMessage(1), kNullRoot);
  const auto piece = [&](size_t begin, size_t end) {
    FragmentHeader header = HonestFragment(1, whole.size());
    header.offset = begin;
    PeerSends(Join(header, Bytes(whole.begin() + begin, whole.begin() + end)));
  };
  piece(0, 10);
  EXPECT_THAT(Receive(), StatusIs(kDeadlineExceeded));
  piece(10, 31);
  piece(31, 32);
  ExpectReceived(1);
}

TEST_F(ChannelCoreTest, AMessageThatIsGivenUpIsForgotten) {
  PeerSendsSchema();
  PeerSends(Join(HonestFragment(1, 100), std::string(10, 'x')));
  PeerSends(Join(HonestFragment(2, 100), std::string(10, 'x')));
  PeerSendsMessage(3);
  ExpectReceived(3);
  FragmentHeader rest = HonestFragment(2, 100);
  rest.offset = 10;
  PeerSends(Join(rest, std::string(90, 'x')));
  ExpectBroken("without its beginning");
}

TEST_F(ChannelCoreTest, WhatIsJoinedIsCheckedLikeAnyMessage) {
  const auto send_in_two = [&](uint64_t id, const Bytes& whole) {
    FragmentHeader header = HonestFragment(id, whole.size());
    PeerSends(Join(header, Bytes(whole.begin(), whole.begin() + 10)));
    header.offset = 10;
    PeerSends(Join(header, Bytes(whole.begin() + 10, whole.end())));
  };
  PeerSendsSchema();
  send_in_two(1, Join(HonestMessage(2), kNullRoot));
  ExpectBroken("message 2 as fragments of 1");

  Connect();
  PeerSendsSchema();
  PeerSendsMessage(1);
  ExpectReceived(1);
  send_in_two(1, Join(HonestMessage(1), kNullRoot));
  ExpectBroken("message 1 after 1");

  Connect();
  PeerSendsSchema();
  send_in_two(1, Join(HonestFragment(1, 100), std::string(10, 'x')));
  ExpectBroken("kind 3");
}

TEST_F(ChannelCoreTest, RecordsWithoutAMessageDoNotOutlastTheDeadline) {
  PeerSendsSchema();
  FragmentHeader header = HonestFragment(1, 1000);
  for (; header.offset < 100; ++header.offset) PeerSends(Join(header, std::string(1, 'x')));
  EXPECT_THAT(Receive(), StatusIs(kDeadlineExceeded, HasSubstr("not complete")));
}

TEST_F(ChannelCoreTest, AStoredMessageNeedsAStore) {
  PeerSendsSchema();
  MessageHeader header = HonestMessage(1);
  header.flags = kStoredFlag;
  header.segments = 1;
  PeerSends(Join(header, LoanHandle(), SegmentAddress(), kNullRoot));
  EXPECT_THAT(Receive(), StatusIs(kFailedPrecondition, HasSubstr("upgrade both ends with their sessions")));
  EXPECT_THAT(Send(), StatusIs(kFailedPrecondition));
}

TEST_F(ChannelCoreTest, WhatWaitsIsDroppedByClose) {
  PeerSendsSchema();
  PeerSendsMessage(1);
  PeerSendsMessage(2, 1);
  ASSERT_OK(Request());
  core_->Close();
  EXPECT_THAT(Receive(), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(ChannelCoreTest, CloseEndsTheWaitsOfOtherThreads) {
  for (const bool in_request : {false, true}) {
    Connect();
    PeerSendsSchema();
    if (in_request) PeerSendsMessage(1);
    core_->set_wait_mode(WaitMode::kSleep);
    std::thread waiter([&] {
      const auto end = in_request ? core_->Request(NewMessage(0).get(), {}, TimeLimit()) : core_->Receive(TimeLimit());
      EXPECT_THAT(end, StatusIs(absl::StatusCode::kCancelled));
      // Whatever waits.
      EXPECT_THAT(core_->Receive(TimeLimit()), StatusIs(absl::StatusCode::kCancelled));
    });
    // A request that has gone out can be seen; what only receives may be closed in any state.
    EXPECT_TRUE(std::holds_alternative<SchemaRecord>(PeerReceives()));
    if (in_request) {
      EXPECT_TRUE(std::holds_alternative<MessageRecord>(PeerReceives()));
    }
    core_->Close();
    waiter.join();
  }
}

TEST_F(ChannelCoreTest, AnswersGoOutAsLongAsTheChannelIsOpen) {
  PeerSendsSchema();
  MessageHeader header = HonestMessage(9);
  header.flags = kRequestFlag;
  PeerSends(Join(header, kNullRoot));
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr request, Receive());
  ASSERT_TRUE(request->is_request());
  ASSERT_OK(ChannelCore::Reply(NewMessage(5).get(), {.answered = request.get()}, Deadline::Passed()));
  EXPECT_THAT(ChannelCore::Reply(NewMessage(5).get(), {.answered = request.get()}, Deadline::Passed()),
              StatusIs(kFailedPrecondition, HasSubstr("answered already")));
  EXPECT_TRUE(std::holds_alternative<SchemaRecord>(PeerReceives()));
  const Record answer = PeerReceives();
  ASSERT_TRUE(std::holds_alternative<MessageRecord>(answer));
  EXPECT_EQ(std::get<MessageRecord>(answer).in_reply_to, 9u);
  EXPECT_FALSE(std::get<MessageRecord>(answer).is_request);
}

TEST_F(ChannelCoreTest, ARequestOutlivesItsChannel) {
  PeerSendsSchema();
  MessageHeader header = HonestMessage(9);
  header.flags = kRequestFlag;
  PeerSends(Join(header, kNullRoot));
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr request, Receive());
  core_->Close();
  core_.reset();
  EXPECT_THAT(ChannelCore::Reply(NewMessage(5).get(), {.answered = request.get()}, Deadline::Passed()),
              StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(ChannelCoreTest, AClosedChannelGivesBackTheLoansThatItHasNotReceived) {
  const auto [ours, theirs] = testing::FakeStore::CreatePair();
  auto pair = RingPipe::CreatePair();
  ASSERT_OK(pair);
  core_ = ChannelCore::Create(Channel(std::move(pair->first)), ours, Schema(), {});
  const auto peer = ChannelCore::Create(Channel(std::move(pair->second)), theirs, Schema(), {});
  for (int i = 0; i < 5; ++i) {
    const OutgoingMessage::Ptr message = OutgoingMessage::New(theirs);
    testing::Fill(message->builder().getRoot<Parcel>(), i, 1, 10'000);
    ASSERT_OK(peer->Send(message.get(), {}, Deadline::Passed()));
  }
  EXPECT_THAT(Request(), StatusIs(kDeadlineExceeded));  // All five wait now.
  const OutgoingMessage::Ptr message = OutgoingMessage::New(theirs);
  testing::Fill(message->builder().getRoot<Parcel>(), 5, 1, 10'000);
  ASSERT_OK(peer->Send(message.get(), {}, Deadline::Passed()));  // In the pipe.
  EXPECT_EQ(theirs->loans(), 6u);
  core_->Close();
  EXPECT_EQ(theirs->loans(), 0u);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
