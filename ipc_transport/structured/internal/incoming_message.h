// A message of the peer: in memory that the peer cannot change, or borrowed from it, and ready to be read.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_INCOMING_MESSAGE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_INCOMING_MESSAGE_H_

#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/schema.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/structured/internal/heap_bytes.h"
#include "ipc_transport/structured/internal/private_segments.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/recycler.h"
#include "ipc_transport/structured/reader_limits.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

class ChannelCore;

// Of an untrusted peer's message, whatever its size.
inline constexpr uint64_t kFreeTraversalBytes = uint64_t{8} << 20;

struct IncomingOptions {
  ReaderLimits limits = ReaderLimits();
  // The peer may write into borrowed segments while they are read: they are copied first.
  bool copy_borrowed = false;
  // It may also send little that unfolds to much: reads are limited to this, and four times the message.
  std::optional<uint64_t> free_traversal_bytes = std::nullopt;
  uint64_t max_copied_bytes = uint64_t{4} << 30;
};

// One thread at a time.
class IncomingMessage {
 public:
  using Ptr = std::unique_ptr<IncomingMessage, Recycler<IncomingMessage>>;

  // A copy of `record`, with `borrowed` behind its inline segment if it is stored.
  // DATA_LOSS: it has no root that is readable within the limits, or the borrowed segments are not whole words.
  // RESOURCE_EXHAUSTED: no memory, or more to copy than the options allow.
  static absl::StatusOr<Ptr> Copy(const MessageRecord& record, std::unique_ptr<BorrowedSegments> borrowed,
                                  std::vector<Fd> descriptors, const IncomingOptions& options = {});

  // The same without a copy: `record` was parsed from `bytes`.
  static absl::StatusOr<Ptr> Adopt(HeapBytes bytes, const MessageRecord& record,
                                   std::unique_ptr<BorrowedSegments> borrowed, std::vector<Fd> descriptors,
                                   const IncomingOptions& options = {});

  IncomingMessage() = default;
  IncomingMessage(const IncomingMessage&) = delete;
  IncomingMessage& operator=(const IncomingMessage&) = delete;
  ~IncomingMessage() { Reset(); }

  // For `Recycler`.
  void Reset();

  uint64_t id() const { return id_; }
  uint64_t in_reply_to() const { return in_reply_to_; }
  bool is_request() const { return is_request_; }
  // An answer that further ones follow.
  bool more_follow() const { return more_follow_; }
  capnp::AnyStruct::Reader root() const { return root_; }
  std::vector<Fd>& descriptors() { return descriptors_; }
  // Of content: in this process's own memory, and in the store.
  size_t own_bytes() const { return own_bytes_; }
  size_t stored_bytes() const { return stored_bytes_; }
  // Of this process's own memory.
  size_t private_bytes() const { return sizeof(*this) + memory_.size() + copied_.bytes(); }
  // As `DebugText`; does not count as reading.
  std::string DebugText(capnp::StructSchema schema, size_t max_bytes) const;

  // Where a reply goes; set when a request is handed to the user, null once it is answered.
  std::shared_ptr<ChannelCore>& reply_channel() { return reply_channel_; }

 private:
  static constexpr size_t kSmallBytes = 1536;

  absl::Status Open(const MessageRecord& record, std::unique_ptr<BorrowedSegments> borrowed,
                    std::vector<Fd> descriptors, const IncomingOptions& options);
  absl::Status CollectSegments(const MessageRecord& record);
  absl::Status AddSegments(absl::Span<const absl::Span<const std::byte>> segments);

  uint64_t id_ = 0;
  uint64_t in_reply_to_ = 0;
  bool is_request_ = false;
  bool more_follow_ = false;
  size_t own_bytes_ = 0;
  size_t stored_bytes_ = 0;
  std::vector<Fd> descriptors_;
  std::shared_ptr<ChannelCore> reply_channel_;

  // What `segments_` point into.
  HeapBytes memory_;
  std::unique_ptr<BorrowedSegments> borrowed_;
  PrivateSegments copied_;

  absl::InlinedVector<kj::ArrayPtr<const capnp::word>, 8> segments_;
  std::optional<capnp::SegmentArrayMessageReader> reader_;
  capnp::AnyStruct::Reader root_;

  alignas(8) std::byte small_[kSmallBytes];  // Instead of `memory_` for what fits.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_INCOMING_MESSAGE_H_
