// A message of which the peer has made every word: opened, read field by field, measured and copied.

#include <capnp/any.h>
#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <kj/exception.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/structured/fuzz/cpu_limit.h"
#include "ipc_transport/structured/fuzz/every_kind.capnp.h"
#include "ipc_transport/structured/fuzz/message_walk.h"
#include "ipc_transport/structured/internal/heap_bytes.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/testing/fuzz/fuzz_target.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::HeapBytes;
using ::ipc::internal::IncomingMessage;
using ::ipc::internal::IncomingOptions;
using ::ipc::internal::kFreeTraversalBytes;
using ::ipc::internal::MessageRecord;

constexpr size_t kWordBytes = 8;
constexpr size_t kMaxSegmentWords = 1024;
constexpr size_t kMaxSteps = 16384;

// How the input begins.
constexpr uint8_t kStored = 1;     // The segments behind the first lie in the store, else in the record.
constexpr uint8_t kAdopted = 2;    // As a message that was joined from fragments.
constexpr uint8_t kUnaligned = 4;  // Stored segments are not whole words.

// Each in memory of its own, of the exact size.
class HostileSegments final : public BorrowedSegments {
 public:
  void Add(absl::Span<const uint8_t> content, bool is_aligned) {
    const size_t shift = is_aligned ? 0 : 1;
    memory_.emplace_back(new std::byte[content.size() + shift]);
    std::byte* const begin = memory_.back().get() + shift;
    if (!content.empty()) std::memcpy(begin, content.data(), content.size());
    segments_.push_back(absl::MakeConstSpan(begin, content.size()));
  }

  absl::Span<const absl::Span<const std::byte>> segments() const override { return segments_; }

 private:
  std::vector<std::unique_ptr<std::byte[]>> memory_;
  std::vector<absl::Span<const std::byte>> segments_;
};

// The next `words`, or as many as there are; one of zeros if there is none.
absl::Span<const uint8_t> NextWords(FuzzInput& input, size_t words) {
  static constexpr uint8_t kZeros[kWordBytes] = {};
  const absl::Span<const uint8_t> bytes = input.Bytes(words % kMaxSegmentWords * kWordBytes);
  const size_t whole = bytes.size() / kWordBytes * kWordBytes;
  return whole == 0 ? absl::MakeConstSpan(kZeros) : bytes.first(whole);
}

absl::StatusOr<IncomingMessage::Ptr> Open(FuzzInput& input) {
  const uint8_t choices = input.Byte();
  const bool is_aligned = (choices & kUnaligned) == 0;
  std::vector<size_t> words(1 + input.Byte() % 8);
  for (size_t& segment : words) segment = input.Number<uint16_t>();
  std::vector<uint8_t> memory;
  std::vector<uint64_t> attached_words;
  std::unique_ptr<HostileSegments> stored;
  if ((choices & kStored) != 0) stored = std::make_unique<HostileSegments>();
  size_t inline_bytes = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i != 0 && stored != nullptr) {
      const size_t bytes = words[i] % kMaxSegmentWords * kWordBytes;
      stored->Add(is_aligned ? NextWords(input, words[i]) : input.Bytes(bytes + input.Byte() % 16), is_aligned);
      continue;
    }
    const absl::Span<const uint8_t> segment = NextWords(input, words[i]);
    memory.insert(memory.end(), segment.begin(), segment.end());
    if (i == 0) {
      inline_bytes = segment.size();
    } else {
      attached_words.push_back(segment.size() / kWordBytes);
    }
  }
  HeapBytes bytes;
  FuzzCheck(bytes.Grow(memory.size()).ok());
  std::memcpy(bytes.data(), memory.data(), memory.size());
  MessageRecord record;
  record.id = 1;
  record.is_stored = stored != nullptr;
  record.inline_segment = bytes.first(inline_bytes);
  record.attached_words = attached_words;
  record.attached = bytes.first(memory.size()).subspan(inline_bytes);
  const bool is_whole = stored == nullptr || stored->segments().empty() || is_aligned;
  const IncomingOptions options = {.copy_borrowed = is_aligned, .free_traversal_bytes = kFreeTraversalBytes};
  absl::StatusOr<IncomingMessage::Ptr> message =
      (choices & kAdopted) != 0 ? IncomingMessage::Adopt(std::move(bytes), record, std::move(stored), {}, options)
                                : IncomingMessage::Copy(record, std::move(stored), {}, options);
  FuzzCheck(is_whole || !message.ok());
  return message;
}

void ReadUntyped(capnp::AnyStruct::Reader root) {
  try {
    MessageWalk(kMaxSteps).ReadUntyped(root);
  } catch (const kj::Exception&) {
    // As it should be.
  }
}

void Copy(capnp::AnyStruct::Reader root) {
  try {
    capnp::MallocMessageBuilder copy;
    copy.setRoot(root);
    MessageWalk(kMaxSteps).ReadTyped(copy.getRoot<sluice_test::EveryKind>().asReader());
  } catch (const kj::Exception&) {
    // As it should be.
  }
}

void Measure(capnp::AnyStruct::Reader root) {
  try {
    root.totalSize();
    root.as<sluice_test::EveryKind>().totalSize();
  } catch (const kj::Exception&) {
    // As it should be.
  }
}

void FuzzIncomingMessage(const uint8_t* data, size_t size) {
  const CpuLimit limit;
  FuzzInput input(data, size);
  const absl::StatusOr<IncomingMessage::Ptr> message = Open(input);
  if (!message.ok()) {
    FuzzCheck(absl::IsDataLoss(message.status()));
    return;
  }
  const capnp::AnyStruct::Reader root = (*message)->root();
  MessageWalk(kMaxSteps).ReadTyped(root.as<sluice_test::EveryKind>());
  ReadUntyped(root);
  Measure(root);
  Copy(root);
}

}  // namespace
}  // namespace ipc::testing

SLUICE_FUZZ_TARGET(::ipc::testing::FuzzIncomingMessage)
