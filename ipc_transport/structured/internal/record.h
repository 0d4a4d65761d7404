// The wire format of structured channels: what one record of the pipe holds, and the one step that checks it.
//
//   message    MessageHeader | stored: LoanHandle, SegmentAddress[segments] | attached: uint64_t words[segments]
//                            | inline segment | attached: the segments, in their order
//   fragment   FragmentHeader | the next bytes of a message that is longer than a record of the pipe may be
//   schema     SchemaHeader | name; the first record of each side, and no other
//   nodes      NodesHeader | the next bytes of what `EncodeSchema` gives: of both sides, where their layouts differ
//   credit     ControlHeader: how many messages that are no answers the peer may have sent by then, in all
//   unwanted   ControlHeader: the id of the request whose answer nobody waited for
//   no answer  ControlHeader: the id of the peer's request that will not be answered
//
// All numbers are of this machine's byte order; every part's size is a multiple of 8 but for a fragment's bytes and the
// name.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_RECORD_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_transport/structured/store.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

inline constexpr uint8_t kRecordVersion = 1;

enum class RecordKind : uint8_t {
  kSchema = 1,
  kMessage = 2,
  kFragment = 3,
  kCredit = 4,
  kUnwanted = 5,
  kNodes = 6,
  kNoAnswer = 7
};

// Flags of a message.
inline constexpr uint8_t kRequestFlag = 1;  // Wants an answer.
inline constexpr uint8_t kStoredFlag = 2;   // The segments behind the inline one lie in the store, else in the record.
inline constexpr uint8_t kMoreFlag = 4;     // An answer that further ones follow.
inline constexpr uint8_t kKnownFlags = kRequestFlag | kStoredFlag | kMoreFlag;

// What either side may send before it knows the other's credit.
inline constexpr uint64_t kFirstCredit = 64;

// Of one message, beside the inline one.
inline constexpr size_t kMaxSegments = 1024;
inline constexpr size_t kMaxNameBytes = 200;
// A pipe must carry this much, so that headers and names fit.
inline constexpr size_t kMinPipeMessageBytes = 256;
// Of one segment: what Cap'n Proto can address.
inline constexpr uint64_t kMaxSegmentWords = (uint64_t{1} << 29) - 1;

struct MessageHeader {
  uint8_t version;
  uint8_t kind;
  uint8_t flags;
  uint8_t descriptors;    // Of the whole message; they travel with its last record.
  uint16_t inline_words;  // Of the first segment.
  uint16_t segments;      // Beside the first.
  uint64_t id;            // Rises from message to message of a side, beginning above 0.
  uint64_t in_reply_to;   // The id of the request that this answers, or 0.
};
static_assert(sizeof(MessageHeader) == 24);

struct FragmentHeader {
  uint8_t version;
  uint8_t kind;
  uint8_t flags;        // 0.
  uint8_t descriptors;  // Those of the message in its last fragment, else 0.
  uint32_t reserved;    // 0.
  uint64_t id;          // As in the message.
  uint64_t offset;      // Of these bytes in the message.
  uint64_t total;       // Bytes of the message.
};
static_assert(sizeof(FragmentHeader) == 32);

struct SchemaHeader {
  uint8_t version;  // Of this record: 1 for ever.
  uint8_t kind;
  uint8_t min_version;  // Of the records that this side understands.
  uint8_t max_version;
  uint32_t name_bytes;
  uint64_t type_id;
  uint64_t layout_hash;
  uint64_t credit;  // At least kFirstCredit.
};
static_assert(sizeof(SchemaHeader) == 32);

struct NodesHeader {
  uint8_t version;
  uint8_t kind;
  uint16_t reserved;  // 0.
  uint32_t total;     // Bytes of all of them; at most kMaxSchemaBytes.
};
static_assert(sizeof(NodesHeader) == 8);

// Of one type's schema nodes.
inline constexpr size_t kMaxSchemaBytes = size_t{256} << 10;

struct ControlHeader {
  uint8_t version;
  uint8_t kind;
  uint16_t reserved[3];  // 0.
  uint64_t value;        // Not 0.
};
static_assert(sizeof(ControlHeader) == 16);

// A checked message. Views lie in the record that was parsed; 8-aligned.
struct MessageRecord {
  uint64_t id = 0;
  uint64_t in_reply_to = 0;
  bool is_request = false;
  bool is_stored = false;
  bool more_follow = false;  // An answer alone.
  size_t descriptors = 0;
  absl::Span<const std::byte> inline_segment;  // Not empty, whole words.
  // Stored.
  LoanHandle loan;
  absl::Span<const SegmentAddress> addresses;
  // Attached: their sizes, none 0, sum up to `attached`.
  absl::Span<const uint64_t> attached_words;
  absl::Span<const std::byte> attached;
};

// A checked fragment: not empty, `offset + bytes.size() <= total`, and smaller than `total`.
struct FragmentRecord {
  uint64_t id = 0;
  uint64_t offset = 0;
  uint64_t total = 0;
  size_t descriptors = 0;
  absl::Span<const std::byte> bytes;

  bool is_last() const { return offset + bytes.size() == total; }
};

struct SchemaRecord {
  uint8_t min_version = 0;
  uint8_t max_version = 0;
  uint64_t type_id = 0;
  uint64_t layout_hash = 0;
  uint64_t credit = 0;
  absl::string_view name;  // As the peer sent it: escape it before it is shown.
};

// Not empty, and not more than `total`.
struct NodesRecord {
  size_t total = 0;
  absl::Span<const std::byte> bytes;
};

struct CreditRecord {
  uint64_t messages = 0;
};

struct UnwantedRecord {
  uint64_t request = 0;
};

struct NoAnswerRecord {
  uint64_t request = 0;
};

using Record = std::variant<MessageRecord, FragmentRecord, SchemaRecord, CreditRecord, UnwantedRecord, NoAnswerRecord,
                            NodesRecord>;

// Checks a peer's record, `bytes` of private memory, 8-aligned, with as many `descriptors` as came with it. DATA_LOSS,
// naming the field and its value, if anything is not as written above.
absl::StatusOr<Record> ParseRecord(absl::Span<const std::byte> bytes, size_t descriptors);

// Whether a record says that it is a message; `ParseMessage` then does without the variant.
bool IsMessage(absl::Span<const std::byte> bytes);

// The same, where only a message may be. Its errors leave `message` undefined.
absl::Status ParseMessage(absl::Span<const std::byte> bytes, size_t descriptors, MessageRecord& message);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_RECORD_H_
