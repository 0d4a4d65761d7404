#include "ipc_transport/structured/internal/outgoing_message.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr size_t kWordBytes = sizeof(capnp::word);
// What a message is that nobody has built: a root pointer to nothing.
constexpr std::byte kEmptyMessage[kWordBytes] = {};

absl::Span<const std::byte> AsBytes(kj::ArrayPtr<const capnp::word> words) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(words.begin()), words.size() * kWordBytes);
}

kj::ArrayPtr<capnp::word> AsWords(absl::Span<std::byte> bytes) {
  return kj::arrayPtr(reinterpret_cast<capnp::word*>(bytes.data()), bytes.size() / kWordBytes);
}

}  // namespace

OutgoingMessage::Ptr OutgoingMessage::New(std::shared_ptr<MessageStore> store, size_t reserve_bytes) {
  Ptr message(Recycler<OutgoingMessage>::Take());
  message->store_ = std::move(store);
  message->builder_.emplace(*message);
  if (reserve_bytes > sizeof(first_segment_)) message->Reserve(reserve_bytes);
  return message;
}

void OutgoingMessage::Reset() {
  if (has_first_segment_) {
    const auto segments = builder_->getSegmentsForOutput();
    std::memset(first_segment_, 0, segments.size() == 0 ? 0 : segments[0].size() * kWordBytes);
  }
  builder_.reset();
  stored_.reset();
  FreeSegments();
  store_.reset();
  segment_bytes_ = 0;
  has_first_segment_ = false;
  is_sealed_ = false;
  status_ = absl::OkStatus();
  descriptors_.clear();
  inline_segment_ = {};
  attached_.clear();
}

void OutgoingMessage::Free(const Segment& segment) {
  if (segment.is_stored) {
    store_->Free(segment.space);
  } else {
    std::free(segment.space.data());
  }
}

void OutgoingMessage::FreeSegments() {
  for (const Segment& segment : segments_) Free(segment);
  segments_.clear();
  if (reserved_.has_value()) Free(*reserved_);
  reserved_.reset();
}

absl::Span<std::byte> OutgoingMessage::AllocatePrivate(size_t bytes) {
  auto* const memory = static_cast<std::byte*>(std::calloc(bytes, 1));
  return absl::MakeSpan(memory, memory == nullptr ? 0 : bytes);
}

void OutgoingMessage::Reserve(size_t bytes) {
  if (bytes > kMaxReserveBytes) {
    status_ = absl::ResourceExhaustedError(
        absl::StrCat(bytes, " bytes were to be reserved for a message; at most ", kMaxReserveBytes, " can be"));
    return;
  }
  const size_t whole_words = (bytes + kWordBytes - 1) / kWordBytes * kWordBytes;
  const bool is_stored = store_ != nullptr;
  const absl::Span<std::byte> space =
      is_stored ? AllocateStored(whole_words, whole_words) : AllocatePrivate(whole_words);
  if (!space.empty()) {
    reserved_ = {.space = space, .is_stored = is_stored};
  } else if (status_.ok()) {
    status_ = absl::ResourceExhaustedError(absl::StrCat("this process has no ", bytes, " bytes for a message"));
  }
}

absl::Span<std::byte> OutgoingMessage::AllocateStored(size_t wanted_bytes, size_t minimum_bytes) {
  absl::StatusOr<absl::Span<std::byte>> space = store_->Allocate(wanted_bytes);
  if (!space.ok() && wanted_bytes > minimum_bytes) space = store_->Allocate(minimum_bytes);
  if (space.ok()) return *space;
  status_ =
      absl::ResourceExhaustedError(absl::StrCat("the store has no ", minimum_bytes, " bytes more for a message of ",
                                                segment_bytes_, " bytes so far: ", space.status().message()));
  return {};
}

kj::ArrayPtr<capnp::word> OutgoingMessage::AllocateSegment(size_t minimum_words) {
  // The first request is for the root's pointer alone.
  if (!has_first_segment_) {
    has_first_segment_ = true;
    return AsWords(absl::MakeSpan(first_segment_));
  }
  const size_t minimum_bytes = minimum_words * kWordBytes;
  if (reserved_.has_value() && reserved_->space.size() >= minimum_bytes && segments_.size() < kMaxSegments) {
    segments_.push_back(*std::exchange(reserved_, std::nullopt));
    const absl::Span<std::byte> space = segments_.back().space;
    segment_bytes_ += space.size();
    return AsWords(space.first(std::min(space.size(), kMaxReserveBytes)));  // The store may have given more.
  }
  const size_t wanted_bytes = std::max(minimum_bytes, std::clamp(segment_bytes_, kMinSegmentBytes, kMaxSegmentBytes));
  if (segments_.size() == kMaxSegments && status_.ok()) {
    status_ = absl::ResourceExhaustedError(
        absl::StrCat("a message of ", segment_bytes_, " bytes needs more than ", kMaxSegments, " segments"));
  }
  absl::Span<std::byte> space;
  if (store_ != nullptr && status_.ok()) space = AllocateStored(wanted_bytes, minimum_bytes);
  const bool is_stored = !space.empty();
  if (!is_stored) {
    space = AllocatePrivate(wanted_bytes);
    // The one thing that building may throw, as any `new` does.
    if (space.empty()) throw std::bad_alloc();
  }
  segments_.push_back({space, is_stored});
  segment_bytes_ += space.size();
  return AsWords(space);
}

absl::Status OutgoingMessage::AttachDescriptor(Fd fd) {
  if (!fd.valid()) return absl::InvalidArgumentError("the descriptor to attach is not open");
  if (descriptors_.size() == kMaxDescriptors) {
    return absl::InvalidArgumentError(absl::StrCat("a message carries at most ", kMaxDescriptors, " descriptors"));
  }
  descriptors_.push_back(std::move(fd));
  return absl::OkStatus();
}

size_t OutgoingMessage::BytesInUse() const {
  size_t words = 0;
  for (const auto& segment : builder_->getSegmentsForOutput()) words += segment.size();
  return words * kWordBytes;
}

absl::Status OutgoingMessage::Seal() {
  if (is_sealed_) return absl::OkStatus();
  SLUICE_RETURN_IF_ERROR(status_);
  const auto output = builder_->getSegmentsForOutput();
  if (output.size() > segments_.size() + 1) {
    return absl::InvalidArgumentError(absl::StrCat("the message refers to ", output.size() - segments_.size() - 1,
                                                   " pieces of external data; copy them into the message"));
  }
  sealed_bytes_ = BytesInUse();
  inline_segment_ = output.size() == 0 ? absl::MakeConstSpan(kEmptyMessage) : AsBytes(output[0]);
  attached_.clear();
  for (size_t i = 0; i < segments_.size(); ++i) {
    // A word at least: what was built there may have been taken out again.
    const size_t used = std::max(output[i + 1].size() * kWordBytes, kWordBytes);
    attached_.push_back(segments_[i].space.first(used));
  }
  if (store_ != nullptr && !segments_.empty()) {
    SLUICE_RETURN_IF_ERROR(Publish(attached_));
    attached_.clear();
  }
  if (reserved_.has_value()) Free(*reserved_);
  reserved_.reset();
  is_sealed_ = true;
  return absl::OkStatus();
}

absl::Status OutgoingMessage::Publish(absl::Span<const absl::Span<const std::byte>> used) {
  absl::InlinedVector<absl::Span<std::byte>, 16> spaces;
  absl::InlinedVector<size_t, 16> sizes;
  for (size_t i = 0; i < segments_.size(); ++i) {
    spaces.push_back(segments_[i].space);
    sizes.push_back(used[i].size());
  }
  absl::StatusOr<std::unique_ptr<StoredSegments>> stored = store_->Publish(spaces, sizes);
  if (!stored.ok()) return WithContext(stored.status(), "publish a message");
  stored_ = *std::move(stored);
  segments_.clear();
  return absl::OkStatus();
}

absl::StatusOr<OutgoingMessage::Ptr> OutgoingMessage::CopyTo(std::shared_ptr<MessageStore> store) const {
  Ptr copy = New(std::move(store), bytes());
  copy->builder().getRoot<capnp::AnyPointer>().set(builder_->getRoot<capnp::AnyPointer>().asReader());
  for (const Fd& fd : descriptors_) {
    SLUICE_ASSIGN_OR_RETURN(Fd duplicate, Duplicate(fd));
    SLUICE_RETURN_IF_ERROR(copy->AttachDescriptor(std::move(duplicate)));
  }
  SLUICE_RETURN_IF_ERROR(copy->Seal());
  return copy;
}

absl::StatusOr<LoanHandle> OutgoingMessage::Lend() const {
  const MutexLock lock(lend_mutex_);
  return stored_->Lend();
}

void OutgoingMessage::TakeBack(LoanHandle loan) const {
  const MutexLock lock(lend_mutex_);
  stored_->TakeBack(loan);
}

absl::Status NoMessage() {
  return absl::InvalidArgumentError("there is no message: it was moved from, or sent or frozen before");
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
