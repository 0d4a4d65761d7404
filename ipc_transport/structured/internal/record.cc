#include "ipc_transport/structured/internal/record.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr size_t kWordBytes = 8;

constexpr size_t kKindOffset = offsetof(MessageHeader, kind);
static_assert(kKindOffset == offsetof(FragmentHeader, kind) && kKindOffset == offsetof(SchemaHeader, kind) &&
              kKindOffset == offsetof(ControlHeader, kind) && kKindOffset == offsetof(NodesHeader, kind));

absl::Status Bad(absl::string_view what, uint64_t value) {
  return absl::DataLossError(absl::StrCat("the peer sent a record with ", what, " ", value));
}

// Takes parts off the front of a record.
class Parts {
 public:
  explicit Parts(absl::Span<const std::byte> bytes) : rest_(bytes) {}

  size_t left() const { return rest_.size(); }

  // False: there is not that much.
  bool Take(size_t bytes, absl::Span<const std::byte>* part) {
    if (bytes > rest_.size()) return false;
    *part = rest_.first(bytes);
    rest_.remove_prefix(bytes);
    return true;
  }

  template <typename T>
  bool Copy(T* value) {
    absl::Span<const std::byte> part;
    if (!Take(sizeof(T), &part)) return false;
    std::memcpy(value, part.data(), sizeof(T));
    return true;
  }

  // In place; the parts before have left it aligned.
  template <typename T>
  bool View(size_t count, absl::Span<const T>* values) {
    static_assert(alignof(T) <= kWordBytes && sizeof(T) % kWordBytes == 0);
    absl::Span<const std::byte> part;
    if (!Take(count * sizeof(T), &part)) return false;
    *values = absl::MakeConstSpan(reinterpret_cast<const T*>(part.data()), count);
    return true;
  }

 private:
  absl::Span<const std::byte> rest_;
};

absl::Status TooShort(absl::Span<const std::byte> bytes) {
  return Bad("less than its header says: bytes", bytes.size());
}

// The sizes of the attached segments are sane and use up what is left.
absl::Status CheckAttached(absl::Span<const uint64_t> words, size_t left) {
  uint64_t total_words = 0;
  for (const uint64_t segment : words) {
    if (segment == 0 || segment > kMaxSegmentWords) return Bad("a segment of words", segment);
    total_words += segment;  // At most kMaxSegments * kMaxSegmentWords: no overflow.
  }
  if (total_words * kWordBytes != left) return Bad("other bytes behind its segments than they sum up to:", left);
  return absl::OkStatus();
}

absl::StatusOr<FragmentRecord> ParseFragment(absl::Span<const std::byte> bytes, size_t descriptors) {
  Parts parts(bytes);
  FragmentHeader header;
  if (!parts.Copy(&header)) return TooShort(bytes);
  if (header.version != kRecordVersion) return Bad("version", header.version);
  if (header.flags != 0) return Bad("flags", header.flags);
  if (header.reserved != 0) return Bad("reserved bits", header.reserved);
  if (header.id == 0) return Bad("id", header.id);
  if (parts.left() == 0) return Bad("fragment bytes", 0);
  if (parts.left() >= header.total) return Bad("a fragment of a message of bytes", header.total);
  if (header.offset > header.total - parts.left()) return Bad("fragment offset", header.offset);
  FragmentRecord fragment;
  fragment.id = header.id;
  fragment.offset = header.offset;
  fragment.total = header.total;
  fragment.descriptors = header.descriptors;
  parts.Take(parts.left(), &fragment.bytes);
  if (header.descriptors != descriptors) return Bad("other descriptors than came with it:", header.descriptors);
  if (header.descriptors != 0 && !fragment.is_last()) return Bad("descriptors before the last fragment:", descriptors);
  return fragment;
}

absl::StatusOr<SchemaRecord> ParseSchema(absl::Span<const std::byte> bytes, size_t descriptors) {
  Parts parts(bytes);
  SchemaHeader header;
  if (!parts.Copy(&header)) return TooShort(bytes);
  if (header.version != 1) return Bad("schema record version", header.version);
  if (header.min_version > header.max_version) return Bad("versions beginning at", header.min_version);
  if (header.name_bytes > kMaxNameBytes) return Bad("name bytes", header.name_bytes);
  if (header.name_bytes != parts.left()) return Bad("another name size than it has bytes:", header.name_bytes);
  if (header.credit < kFirstCredit) return Bad("credit", header.credit);
  if (descriptors != 0) return Bad("descriptors beside a schema:", descriptors);
  absl::Span<const std::byte> name;
  parts.Take(parts.left(), &name);
  SchemaRecord schema;
  schema.min_version = header.min_version;
  schema.max_version = header.max_version;
  schema.type_id = header.type_id;
  schema.layout_hash = header.layout_hash;
  schema.credit = header.credit;
  schema.name = absl::string_view(reinterpret_cast<const char*>(name.data()), name.size());
  return schema;
}

absl::StatusOr<NodesRecord> ParseNodes(absl::Span<const std::byte> bytes, size_t descriptors) {
  Parts parts(bytes);
  NodesHeader header;
  if (!parts.Copy(&header)) return TooShort(bytes);
  if (header.version != kRecordVersion) return Bad("version", header.version);
  if (header.reserved != 0) return Bad("reserved bits", header.reserved);
  if (header.total > kMaxSchemaBytes) return Bad("schema bytes", header.total);
  if (parts.left() == 0 || parts.left() > header.total) return Bad("a part of a schema of bytes", parts.left());
  if (descriptors != 0) return Bad("descriptors beside a schema:", descriptors);
  NodesRecord nodes;
  nodes.total = header.total;
  parts.Take(parts.left(), &nodes.bytes);
  return nodes;
}

absl::StatusOr<uint64_t> ParseControl(absl::Span<const std::byte> bytes, size_t descriptors) {
  Parts parts(bytes);
  ControlHeader header;
  if (!parts.Copy(&header)) return TooShort(bytes);
  if (header.version != kRecordVersion) return Bad("version", header.version);
  for (const uint16_t reserved : header.reserved) {
    if (reserved != 0) return Bad("reserved bits", reserved);
  }
  if (header.value == 0) return Bad("value", 0);
  if (parts.left() != 0) return Bad("bytes behind a control record:", parts.left());
  if (descriptors != 0) return Bad("descriptors beside a control record:", descriptors);
  return header.value;
}

}  // namespace

bool IsMessage(absl::Span<const std::byte> bytes) {
  return bytes.size() > kKindOffset && static_cast<RecordKind>(bytes[kKindOffset]) == RecordKind::kMessage;
}

absl::Status ParseMessage(absl::Span<const std::byte> bytes, size_t descriptors, MessageRecord& message) {
  Parts parts(bytes);
  MessageHeader header;
  if (!parts.Copy(&header)) return TooShort(bytes);
  if (header.version != kRecordVersion) return Bad("version", header.version);
  if (header.kind != static_cast<uint8_t>(RecordKind::kMessage)) return Bad("kind", header.kind);
  if ((header.flags & ~kKnownFlags) != 0) return Bad("flags", header.flags);
  if (header.descriptors != descriptors) return Bad("other descriptors than came with it:", header.descriptors);
  if (header.inline_words == 0) return Bad("inline words", 0);
  if (header.segments > kMaxSegments) return Bad("segments", header.segments);
  if (header.id == 0) return Bad("id", 0);
  if ((header.flags & kMoreFlag) != 0 && header.in_reply_to == 0) return Bad("further answers to message", 0);
  message.id = header.id;
  message.in_reply_to = header.in_reply_to;
  message.is_request = (header.flags & kRequestFlag) != 0;
  message.is_stored = (header.flags & kStoredFlag) != 0;
  message.more_follow = (header.flags & kMoreFlag) != 0;
  message.descriptors = header.descriptors;
  if (message.is_stored) {
    if (header.segments == 0) return Bad("stored segments", 0);
    if (!parts.Copy(&message.loan) || !parts.View(header.segments, &message.addresses)) return TooShort(bytes);
  } else {
    if (!parts.View(header.segments, &message.attached_words)) return TooShort(bytes);
  }
  if (!parts.Take(header.inline_words * kWordBytes, &message.inline_segment)) return TooShort(bytes);
  SLUICE_RETURN_IF_ERROR(CheckAttached(message.attached_words, parts.left()));
  parts.Take(parts.left(), &message.attached);
  return absl::OkStatus();
}

absl::StatusOr<Record> ParseRecord(absl::Span<const std::byte> bytes, size_t descriptors) {
  if (bytes.size() <= kKindOffset) return TooShort(bytes);
  const auto kind = static_cast<uint8_t>(bytes[kKindOffset]);
  switch (static_cast<RecordKind>(kind)) {
    case RecordKind::kMessage: {
      MessageRecord message;
      SLUICE_RETURN_IF_ERROR(ParseMessage(bytes, descriptors, message));
      return message;
    }
    case RecordKind::kFragment:
      return ParseFragment(bytes, descriptors);
    case RecordKind::kSchema:
      return ParseSchema(bytes, descriptors);
    case RecordKind::kNodes:
      return ParseNodes(bytes, descriptors);
    case RecordKind::kCredit: {
      SLUICE_ASSIGN_OR_RETURN(const uint64_t messages, ParseControl(bytes, descriptors));
      return CreditRecord{messages};
    }
    case RecordKind::kUnwanted: {
      SLUICE_ASSIGN_OR_RETURN(const uint64_t request, ParseControl(bytes, descriptors));
      return UnwantedRecord{request};
    }
    case RecordKind::kNoAnswer: {
      SLUICE_ASSIGN_OR_RETURN(const uint64_t request, ParseControl(bytes, descriptors));
      return NoAnswerRecord{request};
    }
  }
  return Bad("kind", kind);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
