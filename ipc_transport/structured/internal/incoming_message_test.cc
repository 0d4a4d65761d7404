#include "ipc_transport/structured/internal/incoming_message.h"

#include <kj/exception.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/heap_bytes.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/testing/borrowed.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_transport/structured/testing/records.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using sluice_test::Parcel;
using testing::Borrowed;
using testing::Bytes;
using testing::Fill;
using ::testing::HasSubstr;
using testing::HonestMessage;
using testing::IsFilled;
using testing::IsOk;
using testing::Join;
using testing::StatusIs;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

// The record of a heap message.
Bytes RecordOf(uint64_t number, size_t parts, size_t bytes) {
  const OutgoingMessage::Ptr message = OutgoingMessage::New(nullptr);
  Fill(message->builder().getRoot<Parcel>(), number, parts, bytes);
  EXPECT_THAT(message->Seal(), IsOk());
  MessageHeader header = HonestMessage(number);
  header.flags = kRequestFlag;
  header.in_reply_to = number - 1;
  header.inline_words = static_cast<uint16_t>(message->inline_segment().size() / 8);
  header.segments = static_cast<uint16_t>(message->attached().size());
  Bytes record = Join(header);
  for (const auto& segment : message->attached()) testing::Append(record, uint64_t{segment.size() / 8});
  record.insert(record.end(), message->inline_segment().begin(), message->inline_segment().end());
  for (const auto& segment : message->attached()) record.insert(record.end(), segment.begin(), segment.end());
  return record;
}

MessageRecord Parse(absl::Span<const std::byte> bytes) {
  MessageRecord record;
  EXPECT_THAT(ParseMessage(bytes, 0, record), IsOk());
  return record;
}

Parcel::Reader Root(const IncomingMessage& message) { return message.root().as<Parcel>(); }

// A record of one inline segment, opened.
absl::Status Open(const std::vector<uint64_t>& words) {
  MessageHeader header = HonestMessage(1);
  header.inline_words = static_cast<uint16_t>(words.size());
  const Bytes record = Join(header, words);
  return IncomingMessage::Copy(Parse(record), nullptr, {}).status();
}

TEST(IncomingMessageTest, ACopyOutlivesItsRecord) {
  // Within the message's own bytes, just beyond them, and of several segments.
  for (const size_t bytes : {0, 500, 1400, 1500, 1600, 20'000}) {
    Bytes record = RecordOf(7, 3, bytes / 3);
    ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr message, IncomingMessage::Copy(Parse(record), nullptr, {}));
    std::memset(record.data(), 0xff, record.size());
    EXPECT_TRUE(IsFilled(Root(*message), 7, 3, bytes / 3));
    EXPECT_EQ(message->id(), 7u);
    EXPECT_EQ(message->in_reply_to(), 6u);
    EXPECT_TRUE(message->is_request());
    EXPECT_EQ(message->reply_channel(), nullptr);
  }
}

TEST(IncomingMessageTest, AdoptedBytesAreReadInPlace) {
  const Bytes record = RecordOf(7, 10, 50'000);
  HeapBytes bytes;
  ASSERT_OK(bytes.Grow(record.size()));
  std::memcpy(bytes.data(), record.data(), record.size());
  const std::byte* const begin = bytes.data();
  const MessageRecord parsed = Parse(bytes.first(record.size()));
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr message,
                       IncomingMessage::Adopt(std::move(bytes), parsed, nullptr, {}));
  EXPECT_TRUE(IsFilled(Root(*message), 7, 10, 50'000));
  const auto* const part = reinterpret_cast<const std::byte*>(Root(*message).getParts()[9].begin());
  EXPECT_TRUE(part > begin && part < begin + record.size());
}

TEST(IncomingMessageTest, CountsThePrivateMemoryThatItTakes) {
  const Bytes small = RecordOf(7, 1, 100);
  const Bytes large = RecordOf(8, 1, 50'000);
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr first, IncomingMessage::Copy(Parse(small), nullptr, {}));
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr second, IncomingMessage::Copy(Parse(large), nullptr, {}));
  EXPECT_EQ(first->private_bytes(), sizeof(IncomingMessage));
  EXPECT_GE(second->private_bytes(), sizeof(IncomingMessage) + 50'000);
}

TEST(IncomingMessageTest, KeepsItsDescriptors) {
  std::vector<Fd> descriptors;
  descriptors.push_back(Fd(dup(0)));
  const int number = descriptors[0].get();
  const Bytes record = RecordOf(7, 0, 0);
  {
    ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr message,
                         IncomingMessage::Copy(Parse(record), nullptr, std::move(descriptors)));
    ASSERT_EQ(message->descriptors().size(), 1u);
    EXPECT_EQ(message->descriptors()[0].get(), number);
  }
  EXPECT_LT(dup(number), 0);
}

TEST(IncomingMessageTest, ANullRootReadsAsDefaults) {
  MessageHeader header = HonestMessage(1);
  const Bytes record = Join(header, testing::kNullRoot);
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr message, IncomingMessage::Copy(Parse(record), nullptr, {}));
  EXPECT_TRUE(IsFilled(Root(*message), 0));
}

// M6: the root's pointer is what opening reads.
TEST(IncomingMessageTest, AnUnreadableRootIsDataLoss) {
  const auto struct_pointer = [](int32_t offset, uint64_t data, uint64_t pointers) {
    return (static_cast<uint64_t>(static_cast<uint32_t>(offset) << 2)) | data << 32 | pointers << 48;
  };
  EXPECT_THAT(Open({struct_pointer(0, 1, 0), 5}), IsOk());
  EXPECT_THAT(Open({struct_pointer(0, 2, 0), 5}), StatusIs(kDataLoss, HasSubstr("without a readable root")));
  EXPECT_THAT(Open({struct_pointer(1, 1, 0), 5}), StatusIs(kDataLoss));
  EXPECT_THAT(Open({struct_pointer(-2, 1, 0), 5}), StatusIs(kDataLoss));
  EXPECT_THAT(Open({struct_pointer(0x1fffffff, 65535, 65535), 5}), StatusIs(kDataLoss));
  EXPECT_THAT(Open({uint64_t{1}, 5}), StatusIs(kDataLoss));                      // A list.
  EXPECT_THAT(Open({uint64_t{3}, 5}), StatusIs(kDataLoss));                      // A capability.
  EXPECT_THAT(Open({uint64_t{2} | uint64_t{1} << 32, 5}), StatusIs(kDataLoss));  // Far, into no segment.
  EXPECT_THAT(Open({uint64_t{2} | uint64_t{0xffffffff} << 32}), StatusIs(kDataLoss));
  EXPECT_THAT(Open({uint64_t{2} | uint64_t{9} << 3, 5}), StatusIs(kDataLoss));  // Far, beyond its segment.
  EXPECT_THAT(Open({uint64_t{6} | uint64_t{0} << 32}), StatusIs(kDataLoss));    // Double far, onto itself.
}

// M4, M6: reading throws or finds something else, and stays within the message (the sanitizers watch).
TEST(IncomingMessageTest, MalformedInsidesThrowWhenTheyAreRead) {
  const Bytes record = RecordOf(7, 1, 100);
  int thrown = 0;
  for (size_t word = sizeof(MessageHeader) / 8 + 1; word < record.size() / 8; ++word) {
    Bytes bad = record;
    std::memset(bad.data() + word * 8, 0x7d, 8);
    ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr message, IncomingMessage::Copy(Parse(bad), nullptr, {}));
    try {
      (void)IsFilled(Root(*message), 7, 1, 100);
    } catch (const kj::Exception&) {
      ++thrown;
    }
  }
  EXPECT_GE(thrown, 2);  // The list and its one element.
}

// M6: within its limits a message can be read, and beyond them its readers throw.
TEST(IncomingMessageTest, ReadersKeepToTheLimits) {
  const Bytes record = RecordOf(7, 3, 1000);
  const auto read = [&](const ReaderLimits& limits) {
    absl::StatusOr<IncomingMessage::Ptr> message =
        IncomingMessage::Copy(Parse(record), nullptr, {}, {.limits = limits});
    if (!message.ok()) return message.status();
    try {
      EXPECT_TRUE(IsFilled(Root(**message), 7, 3, 1000));
      return absl::OkStatus();
    } catch (const kj::Exception& error) {
      return absl::OutOfRangeError(error.getDescription().cStr());
    }
  };
  EXPECT_THAT(read({}), IsOk());
  EXPECT_THAT(read({.traversal_bytes = 3200}), IsOk());
  EXPECT_THAT(read({.traversal_bytes = 3000}), StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("traversal limit")));
  EXPECT_THAT(read({.traversal_bytes = 0}), StatusIs(kDataLoss));
  EXPECT_THAT(read({.nesting = 3}), IsOk());
  EXPECT_THAT(read({.nesting = 1}), StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("deeply")));
}

TEST(IncomingMessageTest, IsShownAsTextAndCanStillBeRead) {
  const Bytes record = RecordOf(7, 2, 1000);
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr message,
                       IncomingMessage::Copy(Parse(record), nullptr, {}, {.limits = {.traversal_bytes = 2200}}));
  for (int i = 0; i < 3; ++i) {
    const std::string text = message->DebugText(capnp::Schema::from<Parcel>(), 4096);
    EXPECT_THAT(text, HasSubstr("(number = 7, parts = [\""));
    EXPECT_THAT(text, HasSubstr("(744 more bytes)"));
  }
  EXPECT_THAT(message->DebugText(capnp::Schema::from<Parcel>(), 11),
              HasSubstr("(number = 7... (cut here; the message"));
  EXPECT_TRUE(IsFilled(Root(*message), 7, 2, 1000));
}

// M4: of every word that is spoiled, the text says so, or shows what stands there.
TEST(IncomingMessageTest, IsShownAsTextWhateverIsMalformed) {
  const Bytes record = RecordOf(7, 1, 100);
  int malformed = 0;
  for (size_t word = sizeof(MessageHeader) / 8 + 1; word < record.size() / 8; ++word) {
    Bytes bad = record;
    std::memset(bad.data() + word * 8, 0x7d, 8);
    ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr message, IncomingMessage::Copy(Parse(bad), nullptr, {}));
    const std::string text = message->DebugText(capnp::Schema::from<Parcel>(), 4096);
    if (text.find("<malformed: ") != std::string::npos) ++malformed;
  }
  EXPECT_GE(malformed, 2);  // The list and its one element.
}

TEST(IncomingMessageTest, BorrowedSegmentsAreReadInPlaceAndGivenBack) {
  const Bytes record = RecordOf(7, 5, 20'000);
  const MessageRecord attached = Parse(record);
  std::vector<absl::Span<const std::byte>> segments;
  size_t offset = 0;
  for (const uint64_t words : attached.attached_words) {
    segments.push_back(attached.attached.subspan(offset, words * 8));
    offset += words * 8;
  }
  MessageRecord stored = attached;
  stored.is_stored = true;
  stored.attached = {};
  stored.attached_words = {};
  {
    ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr message,
                         IncomingMessage::Copy(stored, std::make_unique<Borrowed>(segments), {}));
    EXPECT_TRUE(IsFilled(Root(*message), 7, 5, 20'000));
    EXPECT_EQ(message->private_bytes(), sizeof(IncomingMessage));
    EXPECT_EQ(Borrowed::alive, 1);
  }
  EXPECT_EQ(Borrowed::alive, 0);
}

// H3
TEST(IncomingMessageTest, BorrowedSegmentsAreWholeAlignedWords) {
  const Bytes record = RecordOf(7, 0, 0);
  alignas(8) std::byte memory[64] = {};
  const absl::Span<const std::byte> all = memory;
  MessageRecord stored = Parse(record);
  stored.is_stored = true;
  const auto open = [&](absl::Span<const std::byte> segment) {
    return IncomingMessage::Copy(stored, std::make_unique<Borrowed>(std::vector{segment}), {}).status();
  };
  EXPECT_THAT(open(all), IsOk());
  EXPECT_THAT(open(all.first(8)), IsOk());
  for (const size_t bytes : {7, 9, 63}) EXPECT_THAT(open(all.first(bytes)), StatusIs(kDataLoss)) << bytes;
  for (const size_t offset : {1, 4, 7}) EXPECT_THAT(open(all.subspan(offset, 8)), StatusIs(kDataLoss)) << offset;
  // Never dereferenced: only its size is looked at.
  EXPECT_THAT(open(absl::MakeConstSpan(memory, kMaxSegmentWords * 8 + 8)), StatusIs(kDataLoss));
  EXPECT_EQ(Borrowed::alive, 0);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
