// The records of a peer that sends what it likes: parsed, and joined where they are fragments.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/structured/fuzz/cpu_limit.h"
#include "ipc_transport/structured/internal/heap_bytes.h"
#include "ipc_transport/structured/internal/joiner.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/store.h"
#include "ipc_transport/structured/testing/records.h"
#include "ipc_util/testing/fuzz/fuzz_target.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::FragmentHeader;
using ::ipc::internal::FragmentRecord;
using ::ipc::internal::HeapBytes;
using ::ipc::internal::IsMessage;
using ::ipc::internal::Joiner;
using ::ipc::internal::kMaxNameBytes;
using ::ipc::internal::kMaxSegments;
using ::ipc::internal::kMaxSegmentWords;
using ::ipc::internal::MessageHeader;
using ::ipc::internal::MessageRecord;
using ::ipc::internal::ParseMessage;
using ::ipc::internal::ParseRecord;
using ::ipc::internal::Record;
using ::ipc::internal::SchemaHeader;
using ::ipc::internal::SchemaRecord;
using View = absl::Span<const std::byte>;

constexpr size_t kWordBytes = 8;
constexpr size_t kMaxJoinedBytes = 2048;

bool Contains(View outer, View inner) {
  return inner.data() >= outer.data() && inner.size() <= outer.size() &&
         static_cast<size_t>(inner.data() - outer.data()) <= outer.size() - inner.size();
}

template <typename T>
View BytesOf(absl::Span<const T> values) {
  return View(reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T));
}

bool IsAligned(View bytes) { return reinterpret_cast<uintptr_t>(bytes.data()) % kWordBytes == 0; }

// All that record.h promises of a message, and no view leaves the bytes that it was parsed from.
void CheckMessage(const MessageRecord& message, View bytes, size_t descriptors) {
  FuzzCheck(message.id != 0 && message.descriptors == descriptors);
  FuzzCheck(!message.inline_segment.empty() && message.inline_segment.size() % kWordBytes == 0);
  FuzzCheck(Contains(bytes, message.inline_segment) && IsAligned(message.inline_segment));
  FuzzCheck(message.addresses.size() <= kMaxSegments && message.attached_words.size() <= kMaxSegments);
  FuzzCheck(message.is_stored ? message.attached_words.empty() && message.attached.empty() : message.addresses.empty());
  FuzzCheck(message.is_stored == !message.addresses.empty());
  if (message.is_stored) {
    FuzzCheck(Contains(bytes, BytesOf(message.addresses)) && IsAligned(BytesOf(message.addresses)));
  }
  if (message.attached_words.empty()) {
    FuzzCheck(message.attached.empty());
    return;
  }
  FuzzCheck(Contains(bytes, BytesOf(message.attached_words)) && IsAligned(BytesOf(message.attached_words)));
  FuzzCheck(Contains(bytes, message.attached) && IsAligned(message.attached));
  uint64_t words = 0;
  for (const uint64_t segment : message.attached_words) {
    FuzzCheck(segment != 0 && segment <= kMaxSegmentWords);
    words += segment;
  }
  FuzzCheck(words * kWordBytes == message.attached.size());
}

void CheckFragment(const FragmentRecord& fragment, View bytes, size_t descriptors) {
  FuzzCheck(fragment.id != 0 && fragment.descriptors == descriptors);
  FuzzCheck(!fragment.bytes.empty() && Contains(bytes, fragment.bytes));
  FuzzCheck(fragment.bytes.size() < fragment.total);
  FuzzCheck(fragment.offset <= fragment.total - fragment.bytes.size());
  FuzzCheck(fragment.descriptors == 0 || fragment.is_last());
}

// What a channel does with what it receives, until it would break.
class Receiver {
 public:
  // False: the channel is broken.
  bool Receive(const Bytes& record, size_t descriptors) {
    // Of the exact size, so that a read beyond it is seen; aligned as the channel's buffer is.
    const std::unique_ptr<std::byte[]> copy(new std::byte[record.size()]);
    if (!record.empty()) std::memcpy(copy.get(), record.data(), record.size());
    const View bytes(copy.get(), record.size());
    const absl::StatusOr<Record> parsed = ParseRecord(bytes, descriptors);
    if (!parsed.ok()) {
      FuzzCheck(absl::IsDataLoss(parsed.status()));
      return false;
    }
    if (const auto* const schema = std::get_if<SchemaRecord>(&*parsed)) {
      FuzzCheck(schema->name.size() <= kMaxNameBytes && descriptors == 0);
      FuzzCheck(schema->min_version <= schema->max_version);
    } else if (const auto* const message = std::get_if<MessageRecord>(&*parsed)) {
      CheckMessage(*message, bytes, descriptors);
      joiner_.Abandon();
      FuzzCheck(IsMessage(bytes));
    } else if (const auto* const fragment = std::get_if<FragmentRecord>(&*parsed)) {
      CheckFragment(*fragment, bytes, descriptors);
      return Join(*fragment);
    }
    return true;
  }

 private:
  bool Join(const FragmentRecord& fragment) {
    if (fragment.offset == 0) expected_.clear();
    expected_.insert(expected_.end(), fragment.bytes.begin(), fragment.bytes.end());
    const absl::StatusOr<bool> is_complete = joiner_.Add(fragment);
    if (!is_complete.ok()) {
      FuzzCheck(absl::IsDataLoss(is_complete.status()) || absl::IsResourceExhausted(is_complete.status()));
      return !absl::IsDataLoss(is_complete.status());
    }
    if (!*is_complete) return true;
    const size_t total = joiner_.total();
    HeapBytes joined = joiner_.Take();
    FuzzCheck(fragment.is_last() && total == fragment.total && total <= kMaxJoinedBytes);
    FuzzCheck(joined.size() >= total && View(expected_) == joined.first(total));
    MessageRecord message;
    const absl::Status parsed = ParseMessage(joined.first(total), fragment.descriptors, message);
    if (parsed.ok()) {
      CheckMessage(message, joined.first(total), fragment.descriptors);
    } else {
      FuzzCheck(absl::IsDataLoss(parsed));
    }
    return parsed.ok();
  }

  Joiner joiner_{kMaxJoinedBytes};
  Bytes expected_;  // Of the message that is being joined.
};

Bytes RawRecord(FuzzInput& input) {
  const absl::Span<const uint8_t> bytes = input.Bytes(input.Number<uint16_t>() % 1024);
  Bytes record;
  for (const uint8_t byte : bytes) record.push_back(std::byte{byte});
  return record;
}

// An honest message but for what the input chooses.
Bytes MessageOf(FuzzInput& input) {
  MessageHeader header = HonestMessage(1 + input.Byte() % 8);
  const uint8_t choices = input.Byte();
  header.inline_words = input.Byte() % 8;
  header.segments = input.Byte() % 4;
  if ((choices & 1) != 0) header.flags = input.Byte();
  const bool is_stored = (header.flags & ipc::internal::kStoredFlag) != 0;
  Bytes body;
  if (is_stored) Append(body, LoanHandle{.slot = input.Byte(), .generation = input.Byte()});
  size_t attached_words = 0;
  for (size_t i = 0; i < header.segments; ++i) {
    const uint64_t words = (choices & 2) != 0 ? input.Number<uint64_t>() : 1 + input.Byte() % 8;
    if (is_stored) {
      Append(body, SegmentAddress{.region = input.Byte(), .offset = words, .bytes = words});
    } else {
      Append(body, words);
      attached_words += words % 64;
    }
  }
  body.resize(body.size() + (header.inline_words + attached_words) * kWordBytes);
  if ((choices & 4) != 0) header.segments = input.Number<uint16_t>();
  if ((choices & 8) != 0) header.inline_words = input.Number<uint16_t>();
  if ((choices & 16) != 0) header.descriptors = input.Byte();
  if ((choices & 32) != 0) header.id = input.Number<uint64_t>();
  if ((choices & 64) != 0) header.version = input.Byte();
  if ((choices & 128) != 0) body.resize(body.size() + input.Byte());
  return Join(header, body);
}

// The next bytes of `message`, which is cut into fragments, but for what the input chooses.
Bytes FragmentOf(FuzzInput& input, const Bytes& message, size_t& sent) {
  FragmentHeader header = HonestFragment(1 + input.Byte() % 2, message.size());
  const uint8_t choices = input.Byte();
  if (sent == message.size()) sent = 0;
  const size_t bytes = std::min<size_t>(1 + input.Byte() % 32, message.size() - sent);
  Bytes body(message.begin() + sent, message.begin() + sent + bytes);
  header.offset = sent;
  sent += bytes;
  if ((choices & 1) != 0) header.offset = input.Number<uint64_t>();
  if ((choices & 2) != 0) header.total = input.Number<uint64_t>();
  if ((choices & 4) != 0) header.id = input.Number<uint64_t>();
  if ((choices & 8) != 0) header.descriptors = input.Byte();
  if ((choices & 16) != 0) header.flags = input.Byte();
  if ((choices & 32) != 0) header.reserved = input.Byte();
  if ((choices & 64) != 0) header.version = input.Byte();
  if ((choices & 128) != 0) body.resize(input.Byte());
  return Join(header, body);
}

Bytes SchemaOf(FuzzInput& input) {
  const std::string name(input.Byte(), 'x');
  SchemaHeader header = HonestSchema({.type_id = 1, .layout_hash = 2, .name = name});
  const uint8_t choices = input.Byte();
  if ((choices & 1) != 0) header.name_bytes = input.Number<uint32_t>();
  if ((choices & 2) != 0) header.min_version = input.Byte();
  if ((choices & 4) != 0) header.max_version = input.Byte();
  if ((choices & 8) != 0) header.version = input.Byte();
  return Join(header, name);
}

void FuzzRecord(const uint8_t* data, size_t size) {
  const CpuLimit limit;
  FuzzInput input(data, size);
  Receiver receiver;
  Bytes cut = Join(HonestMessage(1), kNullRoot);
  size_t sent = 0;
  for (bool goes_on = true; goes_on && !input.empty();) {
    const uint8_t choice = input.Byte();
    const size_t descriptors = choice / 64;
    switch (choice % 5) {
      case 0:
        goes_on = receiver.Receive(RawRecord(input), descriptors);
        break;
      case 1:
        goes_on = receiver.Receive(MessageOf(input), descriptors);
        break;
      case 2:
        goes_on = receiver.Receive(FragmentOf(input, cut, sent), descriptors);
        break;
      case 3:
        goes_on = receiver.Receive(SchemaOf(input), descriptors);
        break;
      case 4:
        cut = MessageOf(input);
        sent = 0;
        break;
    }
  }
}

}  // namespace
}  // namespace ipc::testing

SLUICE_FUZZ_TARGET(::ipc::testing::FuzzRecord)
