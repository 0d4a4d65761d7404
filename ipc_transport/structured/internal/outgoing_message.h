// A message of this side: built, then sealed, then sent once or many times.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_OUTGOING_MESSAGE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_OUTGOING_MESSAGE_H_

#include <capnp/message.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/recycler.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The first segment lies in this object; further ones come from the store, or from private memory if there is none.
// When the store is exhausted, building goes on in private memory and `status` tells. One thread, until it is sealed;
// then any.
class OutgoingMessage {
 public:
  using Ptr = std::unique_ptr<OutgoingMessage, Recycler<OutgoingMessage>>;

  static constexpr size_t kInlineWords = 128;
  static constexpr size_t kMaxDescriptors = 16;
  // Further segments: each as large as all before it, within these bounds, and never smaller than what is asked for.
  static constexpr size_t kMinSegmentBytes = size_t{64} << 10;
  static constexpr size_t kMaxSegmentBytes = size_t{512} << 20;
  // What one segment can hold.
  static constexpr size_t kMaxReserveBytes = kMaxSegmentWords * 8;

  // `store` may be null. With `reserve_bytes`, what does not fit into the first segment is allocated now, as one
  // segment of that size; `status` tells if it is not to be had. At most kMaxReserveBytes.
  static Ptr New(std::shared_ptr<MessageStore> store, size_t reserve_bytes = 0);

  // In the same memory, empty.
  Ptr NewAlike() const { return New(store_); }

  OutgoingMessage() = default;
  OutgoingMessage(const OutgoingMessage&) = delete;
  OutgoingMessage& operator=(const OutgoingMessage&) = delete;
  ~OutgoingMessage() { Reset(); }

  // For `Recycler`.
  void Reset();

  capnp::MessageBuilder& builder() { return *builder_; }

  // INVALID_ARGUMENT: not open, or the 17th.
  absl::Status AttachDescriptor(Fd fd);
  absl::Span<const Fd> descriptors() const { return descriptors_; }

  // Used so far, the first segment included.
  size_t bytes() const { return is_sealed_ ? sealed_bytes_ : BytesInUse(); }

  // RESOURCE_EXHAUSTED: the store, or the table of segments, did not suffice.
  const absl::Status& status() const { return status_; }

  // Ends the building: from now on only read. RESOURCE_EXHAUSTED: as `status`, or the store takes no more messages.
  // INVALID_ARGUMENT: it refers to external data (see Cap'n Proto's Orphanage), which no peer would find.
  absl::Status Seal();

  // The rest: after `Seal`.
  absl::Span<const std::byte> inline_segment() const { return inline_segment_; }
  // Further segments in private memory.
  absl::Span<const absl::Span<const std::byte>> attached() const { return attached_; }
  // Null if there are none in the store.
  const MessageStore* store_of_segments() const { return stored_ != nullptr ? store_.get() : nullptr; }
  absl::Span<const SegmentAddress> addresses() const { return stored_->addresses(); }
  // A sealed copy in another store, or on the heap if that is null; with duplicates of the descriptors. As `Seal`, or
  // RESOURCE_EXHAUSTED: no descriptors for those (raise RLIMIT_NOFILE). Any thread.
  absl::StatusOr<Ptr> CopyTo(std::shared_ptr<MessageStore> store) const;
  // As in StoredSegments.
  absl::StatusOr<LoanHandle> Lend() const;
  void TakeBack(LoanHandle loan) const;

 private:
  class Builder final : public capnp::MessageBuilder {
   public:
    explicit Builder(OutgoingMessage& message) : message_(message) {}
    kj::ArrayPtr<capnp::word> allocateSegment(capnp::uint minimum_words) override {
      return message_.AllocateSegment(minimum_words);
    }

   private:
    OutgoingMessage& message_;
  };

  struct Segment {
    absl::Span<std::byte> space;
    bool is_stored;
  };

  kj::ArrayPtr<capnp::word> AllocateSegment(size_t minimum_words);
  // An empty span: not to be had from the store.
  absl::Span<std::byte> AllocateStored(size_t wanted_bytes, size_t minimum_bytes);
  // Null: no memory.
  static absl::Span<std::byte> AllocatePrivate(size_t bytes);
  void Reserve(size_t bytes);
  void Free(const Segment& segment);
  void FreeSegments();
  size_t BytesInUse() const;
  absl::Status Publish(absl::Span<const absl::Span<const std::byte>> used);

  std::shared_ptr<MessageStore> store_;
  absl::InlinedVector<Segment, 4> segments_;  // Behind the first; empty once they are published.
  size_t segment_bytes_ = 0;                  // Of those.
  std::optional<Segment> reserved_;           // To be the next of those.
  bool has_first_segment_ = false;
  bool is_sealed_ = false;
  size_t sealed_bytes_ = 0;
  absl::Status status_;
  std::vector<Fd> descriptors_;
  mutable std::optional<Builder> builder_;  // Its look at what is in use is not const.

  absl::Span<const std::byte> inline_segment_;
  absl::InlinedVector<absl::Span<const std::byte>, 4> attached_;
  std::unique_ptr<StoredSegments> stored_;
  mutable Mutex lend_mutex_;  // Orders the calls of `stored_`: a frozen message is sent by several threads.

  // Zero where no message has written; `Reset` clears what one has.
  alignas(8) std::byte first_segment_[kInlineWords * 8] = {};
};

// INVALID_ARGUMENT: where a message was to be sent, there is none.
absl::Status NoMessage();

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_OUTGOING_MESSAGE_H_
