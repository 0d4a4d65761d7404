#include "ipc_transport/structured/internal/incoming_message.h"

#include <kj/exception.h>

#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "ipc_transport/structured/internal/debug_text.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr size_t kWordBytes = sizeof(capnp::word);

capnp::ReaderOptions OptionsOf(const ReaderLimits& limits) {
  return {.traversalLimitInWords = limits.traversal_bytes / kWordBytes, .nestingLimit = limits.nesting};
}

kj::ArrayPtr<const capnp::word> AsWords(absl::Span<const std::byte> bytes) {
  return kj::arrayPtr(reinterpret_cast<const capnp::word*>(bytes.data()), bytes.size() / kWordBytes);
}

}  // namespace

absl::StatusOr<IncomingMessage::Ptr> IncomingMessage::Copy(const MessageRecord& record,
                                                           std::unique_ptr<BorrowedSegments> borrowed,
                                                           std::vector<Fd> descriptors,
                                                           const IncomingOptions& options) {
  Ptr message(Recycler<IncomingMessage>::Take());
  const size_t bytes = record.inline_segment.size() + record.attached.size();
  std::byte* memory = message->small_;
  if (bytes > kSmallBytes) {
    SLUICE_RETURN_IF_ERROR(message->memory_.Grow(bytes));
    memory = message->memory_.data();
  }
  MessageRecord copy = record;
  std::memcpy(memory, record.inline_segment.data(), record.inline_segment.size());
  copy.inline_segment = absl::MakeConstSpan(memory, record.inline_segment.size());
  if (!record.attached.empty()) {
    memory += record.inline_segment.size();
    std::memcpy(memory, record.attached.data(), record.attached.size());
    copy.attached = absl::MakeConstSpan(memory, record.attached.size());
  }
  SLUICE_RETURN_IF_ERROR(message->Open(copy, std::move(borrowed), std::move(descriptors), options));
  return message;
}

absl::StatusOr<IncomingMessage::Ptr> IncomingMessage::Adopt(HeapBytes bytes, const MessageRecord& record,
                                                            std::unique_ptr<BorrowedSegments> borrowed,
                                                            std::vector<Fd> descriptors,
                                                            const IncomingOptions& options) {
  Ptr message(Recycler<IncomingMessage>::Take());
  message->memory_ = std::move(bytes);
  SLUICE_RETURN_IF_ERROR(message->Open(record, std::move(borrowed), std::move(descriptors), options));
  return message;
}

void IncomingMessage::Reset() {
  root_ = {};
  reader_.reset();
  segments_.clear();
  borrowed_.reset();
  copied_ = {};
  memory_ = {};
  reply_channel_.reset();
  descriptors_.clear();
}

absl::Status IncomingMessage::Open(const MessageRecord& record, std::unique_ptr<BorrowedSegments> borrowed,
                                   std::vector<Fd> descriptors, const IncomingOptions& options) {
  id_ = record.id;
  in_reply_to_ = record.in_reply_to;
  is_request_ = record.is_request;
  more_follow_ = record.more_follow;
  own_bytes_ = record.inline_segment.size() + record.attached.size();
  stored_bytes_ = 0;
  descriptors_ = std::move(descriptors);
  if (borrowed != nullptr && options.copy_borrowed) {
    SLUICE_ASSIGN_OR_RETURN(copied_, PrivateSegments::CopyOf(std::move(borrowed), options.max_copied_bytes));
  } else {
    borrowed_ = std::move(borrowed);
  }
  SLUICE_RETURN_IF_ERROR(CollectSegments(record));
  ReaderLimits limits = options.limits;
  if (options.free_traversal_bytes.has_value()) {
    const uint64_t enough = *options.free_traversal_bytes + 4 * (own_bytes_ + stored_bytes_);
    limits.traversal_bytes = std::min(limits.traversal_bytes, enough);
  }
  reader_.emplace(kj::arrayPtr(segments_.data(), segments_.size()), OptionsOf(limits));
  try {
    root_ = reader_->getRoot<capnp::AnyPointer>().getAs<capnp::AnyStruct>();
  } catch (const kj::Exception& error) {
    return absl::DataLossError(
        absl::StrCat("the peer sent a message without a readable root: ", error.getDescription().cStr()));
  }
  return absl::OkStatus();
}

absl::Status IncomingMessage::CollectSegments(const MessageRecord& record) {
  segments_.push_back(AsWords(record.inline_segment));
  size_t offset = 0;
  for (const uint64_t words : record.attached_words) {
    segments_.push_back(AsWords(record.attached.subspan(offset, words * kWordBytes)));
    offset += words * kWordBytes;
  }
  return AddSegments(borrowed_ != nullptr ? borrowed_->segments() : copied_.segments());
}

absl::Status IncomingMessage::AddSegments(absl::Span<const absl::Span<const std::byte>> segments) {
  for (const absl::Span<const std::byte> segment : segments) {
    const bool is_aligned = reinterpret_cast<uintptr_t>(segment.data()) % kWordBytes == 0;
    if (!is_aligned || segment.size() % kWordBytes != 0 || segment.size() / kWordBytes > kMaxSegmentWords) {
      return absl::DataLossError(
          absl::StrCat("the peer sent a stored segment of ", segment.size(), " bytes that is not whole words"));
    }
    segments_.push_back(AsWords(segment));
    stored_bytes_ += segment.size();
  }
  return absl::OkStatus();
}

std::string IncomingMessage::DebugText(capnp::StructSchema schema, size_t max_bytes) const {
  size_t bytes = 0;
  for (const auto& segment : segments_) bytes += segment.size() * kWordBytes;
  // Another reader, so that the limit of the first is not used up.
  capnp::SegmentArrayMessageReader reader(kj::arrayPtr(segments_.data(), segments_.size()), OptionsOf({}));
  try {
    return internal::DebugText(reader.getRoot<capnp::AnyPointer>().getAs<capnp::AnyStruct>(), schema, max_bytes, bytes);
  } catch (const kj::Exception& error) {
    // It was readable when it came; a peer that may write there has changed it.
    return absl::StrCat("<malformed: ", absl::CHexEscape(error.getDescription().cStr()), ">");
  }
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
