#include "ipc_transport/structured/internal/record.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/testing/records.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using testing::Bytes;
using ::testing::HasSubstr;
using testing::HonestFragment;
using testing::HonestMessage;
using testing::IsOk;
using testing::Join;
using testing::StatusIs;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr uint64_t kMaxUint64 = std::numeric_limits<uint64_t>::max();

// `words` words, each its number.
std::vector<uint64_t> Words(size_t words) {
  std::vector<uint64_t> result(words);
  for (size_t i = 0; i < words; ++i) result[i] = i;
  return result;
}

MessageHeader Attached(uint16_t inline_words, uint16_t segments) {
  MessageHeader header = HonestMessage(7);
  header.inline_words = inline_words;
  header.segments = segments;
  return header;
}

MessageHeader Stored(uint16_t inline_words, uint16_t segments) {
  MessageHeader header = Attached(inline_words, segments);
  header.flags = kStoredFlag;
  return header;
}

const LoanHandle kLoan = {.slot = 3, .generation = 4};
const SegmentAddress kAddress = {.region = 1, .reserved = 0, .offset = 65536, .bytes = 4096};
const std::vector<uint64_t> kSizes = {2, 1};

Bytes AttachedRecord() { return Join(Attached(4, 2), kSizes, Words(4), Words(3)); }
Bytes StoredRecord() { return Join(Stored(2, 1), kLoan, kAddress, Words(2)); }
Bytes FragmentRecordBytes() { return Join(HonestFragment(7, 100), std::string(60, 'x')); }

constexpr absl::string_view kName = "a.capnp:A";

SchemaHeader HonestSchema() {
  return testing::HonestSchema({.type_id = 5, .layout_hash = 6, .name = std::string(kName)});
}

template <typename T>
absl::StatusOr<T> Parse(const Bytes& bytes, size_t descriptors = 0) {
  const absl::StatusOr<Record> record = ParseRecord(bytes, descriptors);
  if (!record.ok()) return record.status();
  EXPECT_TRUE(std::holds_alternative<T>(*record));
  return std::get<T>(*record);
}

// Every prefix, and what has more behind its end than it says.
void ExpectExactSize(const Bytes& record) {
  ASSERT_THAT(ParseRecord(record, 0), IsOk());
  for (size_t size = 0; size < record.size(); ++size) {
    const Bytes prefix(record.begin(), record.begin() + size);
    EXPECT_THAT(ParseRecord(prefix, 0), StatusIs(kDataLoss)) << size << " of " << record.size() << " bytes";
  }
  for (const size_t more : {1, 7, 8, 4096}) {
    Bytes longer = record;
    longer.resize(record.size() + more);
    EXPECT_THAT(ParseRecord(longer, 0), StatusIs(kDataLoss)) << more << " bytes more";
  }
}

TEST(MessageRecordTest, OneSegment) {
  MessageHeader header = HonestMessage(9);
  header.flags = kRequestFlag;
  header.in_reply_to = 8;
  header.inline_words = 3;
  header.descriptors = 2;
  const Bytes bytes = Join(header, Words(3));
  ASSERT_OK_AND_ASSIGN(const MessageRecord message, Parse<MessageRecord>(bytes, 2));
  EXPECT_EQ(message.id, 9u);
  EXPECT_EQ(message.in_reply_to, 8u);
  EXPECT_TRUE(message.is_request);
  EXPECT_FALSE(message.is_stored);
  EXPECT_EQ(message.descriptors, 2u);
  EXPECT_EQ(message.inline_segment, absl::MakeConstSpan(bytes).subspan(sizeof(header)));
  EXPECT_TRUE(message.attached_words.empty());
  EXPECT_TRUE(message.attached.empty());
}

TEST(MessageRecordTest, AttachedSegments) {
  const Bytes bytes = AttachedRecord();
  ASSERT_OK_AND_ASSIGN(const MessageRecord message, Parse<MessageRecord>(bytes));
  EXPECT_FALSE(message.is_request);
  EXPECT_EQ(message.attached_words, absl::MakeConstSpan(kSizes));
  EXPECT_EQ(message.inline_segment, absl::MakeConstSpan(bytes).subspan(sizeof(MessageHeader) + 16, 32));
  EXPECT_EQ(message.attached, absl::MakeConstSpan(bytes).last(24));
}

TEST(MessageRecordTest, StoredSegments) {
  const Bytes bytes = StoredRecord();
  ASSERT_OK_AND_ASSIGN(const MessageRecord message, Parse<MessageRecord>(bytes));
  EXPECT_TRUE(message.is_stored);
  EXPECT_EQ(message.loan.slot, kLoan.slot);
  EXPECT_EQ(message.loan.generation, kLoan.generation);
  ASSERT_EQ(message.addresses.size(), 1u);
  EXPECT_EQ(std::memcmp(message.addresses.data(), &kAddress, sizeof(kAddress)), 0);
  EXPECT_EQ(message.inline_segment, absl::MakeConstSpan(bytes).last(16));
}

// M2
TEST(MessageRecordTest, HasExactlyTheBytesThatItSays) {
  ExpectExactSize(Join(HonestMessage(1), testing::kNullRoot));
  ExpectExactSize(AttachedRecord());
  ExpectExactSize(StoredRecord());
}

// M5
TEST(MessageRecordTest, EveryFieldIsChecked) {
  const std::vector<std::pair<std::string, void (*)(MessageHeader&)>> lies = {
      {"version 0", [](MessageHeader& header) { header.version = 0; }},
      {"version 2", [](MessageHeader& header) { header.version = kRecordVersion + 1; }},
      {"kind 0", [](MessageHeader& header) { header.kind = 0; }},
      {"reserved bits 4", [](MessageHeader& header) { header.kind = 4; }},
      {"kind 8", [](MessageHeader& header) { header.kind = 8; }},
      {"kind 255", [](MessageHeader& header) { header.kind = 255; }},
      {"flags 8", [](MessageHeader& header) { header.flags = kKnownFlags + 1; }},
      {"further answers to message 0", [](MessageHeader& header) { header.flags = kMoreFlag; }},
      {"flags 128", [](MessageHeader& header) { header.flags = 128; }},
      {"descriptors than came with it: 1", [](MessageHeader& header) { header.descriptors = 1; }},
      {"inline words 0", [](MessageHeader& header) { header.inline_words = 0; }},
      {"id 0", [](MessageHeader& header) { header.id = 0; }},
      {"sum up", [](MessageHeader& header) { header.inline_words = 5; }},
      {"less than its header says", [](MessageHeader& header) { header.inline_words = 8; }},
      {"less than its header says", [](MessageHeader& header) { header.inline_words = 65535; }},
      {"a segment of words 0", [](MessageHeader& header) { header.segments = 3; }},
      {"sum up", [](MessageHeader& header) { header.segments = 1; }},
      {"less than its header says", [](MessageHeader& header) { header.segments = kMaxSegments; }},
      {"segments 1025", [](MessageHeader& header) { header.segments = kMaxSegments + 1; }},
      {"segments 65535", [](MessageHeader& header) { header.segments = 65535; }},
  };
  for (const auto& [text, lie] : lies) {
    MessageHeader header = Attached(4, 2);
    lie(header);
    EXPECT_THAT(ParseRecord(Join(header, kSizes, Words(4), Words(3)), 0), StatusIs(kDataLoss, HasSubstr(text)));
  }
  EXPECT_THAT(ParseRecord(AttachedRecord(), 1), StatusIs(kDataLoss, HasSubstr("descriptors")));
}

TEST(MessageRecordTest, StoredMeansThatThereIsASegment) {
  EXPECT_THAT(ParseRecord(Join(Stored(2, 0), kLoan, Words(2)), 0), StatusIs(kDataLoss, HasSubstr("stored segments 0")));
}

TEST(MessageRecordTest, StoredSegmentsUpToTheLimit) {
  const std::vector<SegmentAddress> addresses(kMaxSegments + 1, kAddress);
  const std::vector<SegmentAddress> most(kMaxSegments, kAddress);
  EXPECT_THAT(ParseRecord(Join(Stored(1, kMaxSegments), kLoan, most, Words(1)), 0), IsOk());
  EXPECT_THAT(ParseRecord(Join(Stored(1, kMaxSegments + 1), kLoan, addresses, Words(1)), 0), StatusIs(kDataLoss));
}

// M3, H3
TEST(MessageRecordTest, OversizeSegmentsAreRefusedUnseen) {
  for (const uint64_t words :
       {uint64_t{0}, kMaxSegmentWords, kMaxSegmentWords + 1, uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1} << 61,
        (uint64_t{1} << 61) + 1, uint64_t{1} << 63, kMaxUint64}) {
    EXPECT_THAT(ParseRecord(Join(Attached(1, 1), words, Words(1), Words(1)), 0), StatusIs(kDataLoss)) << words;
  }
  // Sums that come back to what is there.
  EXPECT_THAT(ParseRecord(Join(Attached(1, 2), std::vector<uint64_t>{kMaxUint64, 2}, Words(1), Words(1)), 0),
              StatusIs(kDataLoss));
  EXPECT_THAT(ParseRecord(Join(Attached(1, 1), (uint64_t{1} << 61) + 1, Words(1), Words(1)), 0), StatusIs(kDataLoss));
}

TEST(MessageRecordTest, ParseMessageTakesNoOtherKind) {
  MessageRecord message;
  EXPECT_THAT(ParseMessage(AttachedRecord(), 0, message), IsOk());
  EXPECT_TRUE(IsMessage(AttachedRecord()));
  EXPECT_THAT(ParseMessage(FragmentRecordBytes(), 0, message), StatusIs(kDataLoss, HasSubstr("kind 3")));
  EXPECT_FALSE(IsMessage(FragmentRecordBytes()));
  EXPECT_THAT(ParseMessage(Join(HonestSchema(), kName), 0, message), StatusIs(kDataLoss, HasSubstr("kind 1")));
  EXPECT_FALSE(IsMessage({}));
}

ControlHeader HonestControl(RecordKind kind) { return testing::HonestControl(kind, 70); }

TEST(ControlRecordTest, SaysOneNumber) {
  const Bytes credit = Join(HonestControl(RecordKind::kCredit));
  ASSERT_OK_AND_ASSIGN(const CreditRecord allowed, Parse<CreditRecord>(credit));
  EXPECT_EQ(allowed.messages, 70u);
  const Bytes unwanted = Join(HonestControl(RecordKind::kUnwanted));
  ASSERT_OK_AND_ASSIGN(const UnwantedRecord notice, Parse<UnwantedRecord>(unwanted));
  EXPECT_EQ(notice.request, 70u);
  const Bytes no_answer = Join(HonestControl(RecordKind::kNoAnswer));
  ASSERT_OK_AND_ASSIGN(const NoAnswerRecord refused, Parse<NoAnswerRecord>(no_answer));
  EXPECT_EQ(refused.request, 70u);
  ExpectExactSize(no_answer);
  ExpectExactSize(credit);
  ExpectExactSize(unwanted);
}

// M5
TEST(ControlRecordTest, EveryFieldIsChecked) {
  for (const RecordKind kind : {RecordKind::kCredit, RecordKind::kUnwanted, RecordKind::kNoAnswer}) {
    const std::vector<std::pair<std::string, void (*)(ControlHeader&)>> lies = {
        {"version 2", [](ControlHeader& header) { header.version = kRecordVersion + 1; }},
        {"reserved bits 1", [](ControlHeader& header) { header.reserved[0] = 1; }},
        {"reserved bits 7", [](ControlHeader& header) { header.reserved[2] = 7; }},
        {"value 0", [](ControlHeader& header) { header.value = 0; }},
    };
    for (const auto& [text, lie] : lies) {
      ControlHeader header = HonestControl(kind);
      lie(header);
      EXPECT_THAT(ParseRecord(Join(header), 0), StatusIs(kDataLoss, HasSubstr(text)));
    }
    EXPECT_THAT(ParseRecord(Join(HonestControl(kind)), 1), StatusIs(kDataLoss, HasSubstr("descriptors")));
  }
}

TEST(FragmentRecordTest, FirstAndLast) {
  const Bytes bytes = FragmentRecordBytes();
  ASSERT_OK_AND_ASSIGN(const FragmentRecord first, Parse<FragmentRecord>(bytes));
  EXPECT_EQ(first.id, 7u);
  EXPECT_EQ(first.offset, 0u);
  EXPECT_EQ(first.total, 100u);
  EXPECT_EQ(first.bytes.size(), 60u);
  EXPECT_FALSE(first.is_last());

  FragmentHeader header = HonestFragment(7, 100);
  header.offset = 60;
  header.descriptors = 16;
  const Bytes last_bytes = Join(header, std::string(40, 'x'));
  ASSERT_OK_AND_ASSIGN(const FragmentRecord last, Parse<FragmentRecord>(last_bytes, 16));
  EXPECT_TRUE(last.is_last());
  EXPECT_EQ(last.descriptors, 16u);
}

TEST(FragmentRecordTest, EveryFieldIsChecked) {
  const std::vector<std::pair<std::string, void (*)(FragmentHeader&)>> lies = {
      {"version 0", [](FragmentHeader& header) { header.version = 0; }},
      {"version 2", [](FragmentHeader& header) { header.version = kRecordVersion + 1; }},
      {"flags 1", [](FragmentHeader& header) { header.flags = 1; }},
      {"reserved bits 1", [](FragmentHeader& header) { header.reserved = 1; }},
      {"id 0", [](FragmentHeader& header) { header.id = 0; }},
      {"descriptors than came with it: 1", [](FragmentHeader& header) { header.descriptors = 1; }},
      {"message of bytes 0", [](FragmentHeader& header) { header.total = 0; }},
      {"message of bytes 59", [](FragmentHeader& header) { header.total = 59; }},
      {"message of bytes 60", [](FragmentHeader& header) { header.total = 60; }},
      {"offset 41", [](FragmentHeader& header) { header.offset = 41; }},
      {"offset 18446744073709551556", [](FragmentHeader& header) { header.offset = kMaxUint64 - 59; }},
      {"offset 18446744073709551615", [](FragmentHeader& header) { header.offset = kMaxUint64; }},
  };
  for (const auto& [text, lie] : lies) {
    FragmentHeader header = HonestFragment(7, 100);
    lie(header);
    EXPECT_THAT(ParseRecord(Join(header, std::string(60, 'x')), 0), StatusIs(kDataLoss, HasSubstr(text)));
  }
}

TEST(FragmentRecordTest, DescriptorsComeWithTheLast) {
  FragmentHeader header = HonestFragment(7, 100);
  header.descriptors = 1;
  EXPECT_THAT(ParseRecord(Join(header, std::string(60, 'x')), 1), StatusIs(kDataLoss, HasSubstr("before the last")));
  EXPECT_THAT(ParseRecord(FragmentRecordBytes(), 1), StatusIs(kDataLoss, HasSubstr("descriptors")));
}

TEST(FragmentRecordTest, BoundariesOfSizeAndOffset) {
  FragmentHeader header = HonestFragment(7, 61);
  EXPECT_THAT(ParseRecord(Join(header, std::string(60, 'x')), 0), IsOk());
  header.offset = 1;
  EXPECT_THAT(ParseRecord(Join(header, std::string(60, 'x')), 0), IsOk());
  header.total = kMaxUint64;
  header.offset = kMaxUint64 - 60;
  EXPECT_THAT(ParseRecord(Join(header, std::string(60, 'x')), 0), IsOk());
}

TEST(FragmentRecordTest, NeverEmptyAndNeverCutInItsHeader) {
  const Bytes header = Join(HonestFragment(7, 100));
  for (size_t size = 0; size <= header.size(); ++size) {
    EXPECT_THAT(ParseRecord(Bytes(header.begin(), header.begin() + size), 0), StatusIs(kDataLoss)) << size;
  }
}

TEST(SchemaRecordTest, Honest) {
  const Bytes bytes = Join(HonestSchema(), kName);
  ASSERT_OK_AND_ASSIGN(const SchemaRecord schema, Parse<SchemaRecord>(bytes));
  EXPECT_EQ(schema.min_version, 1);
  EXPECT_EQ(schema.max_version, 1);
  EXPECT_EQ(schema.type_id, 5u);
  EXPECT_EQ(schema.layout_hash, 6u);
  EXPECT_EQ(schema.name, kName);
  ExpectExactSize(bytes);
}

TEST(SchemaRecordTest, EveryFieldIsChecked) {
  const std::vector<std::pair<std::string, void (*)(SchemaHeader&)>> lies = {
      {"schema record version 0", [](SchemaHeader& header) { header.version = 0; }},
      {"schema record version 2", [](SchemaHeader& header) { header.version = 2; }},
      {"versions beginning at 2", [](SchemaHeader& header) { header.min_version = 2; }},
      {"another name size than it has bytes: 8", [](SchemaHeader& header) { --header.name_bytes; }},
      {"another name size than it has bytes: 10", [](SchemaHeader& header) { ++header.name_bytes; }},
      {"name bytes 4294967295", [](SchemaHeader& header) { header.name_bytes = 0xffffffff; }},
  };
  for (const auto& [text, lie] : lies) {
    SchemaHeader header = HonestSchema();
    lie(header);
    EXPECT_THAT(ParseRecord(Join(header, kName), 0), StatusIs(kDataLoss, HasSubstr(text)));
  }
  EXPECT_THAT(ParseRecord(Join(HonestSchema(), kName), 1), StatusIs(kDataLoss, HasSubstr("descriptors")));
}

TEST(SchemaRecordTest, NamesUpToTheLimit) {
  for (const size_t size : {size_t{0}, kMaxNameBytes, kMaxNameBytes + 1}) {
    SchemaHeader header = HonestSchema();
    header.name_bytes = static_cast<uint32_t>(size);
    EXPECT_EQ(ParseRecord(Join(header, std::string(size, 'n')), 0).ok(), size <= kMaxNameBytes) << size;
  }
}

// M4: one flipped bit gives an error or a record whose parts lie within the bytes (the sanitizers watch).
TEST(RecordTest, AnyFlippedBitIsHarmless) {
  for (const Bytes& record : {AttachedRecord(), StoredRecord(), FragmentRecordBytes(), Join(HonestSchema(), kName)}) {
    for (size_t bit = 0; bit < record.size() * 8; ++bit) {
      Bytes flipped = record;
      flipped[bit / 8] ^= std::byte{1} << (bit % 8);
      const absl::StatusOr<Record> parsed = ParseRecord(flipped, 0);
      if (!parsed.ok()) {
        EXPECT_THAT(parsed, StatusIs(kDataLoss));
      } else if (const auto* message = std::get_if<MessageRecord>(&*parsed)) {
        size_t bytes = sizeof(MessageHeader) + message->inline_segment.size() + message->attached.size() +
                       8 * message->attached_words.size();
        if (message->is_stored) bytes += sizeof(LoanHandle) + message->addresses.size() * sizeof(SegmentAddress);
        EXPECT_EQ(bytes, flipped.size());
      }
    }
  }
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
