// The sending half of a structured channel: messages and the channel's own records, into the pipe.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_WRITER_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What a message is to the peer.
struct MessageRole {
  uint8_t flags = 0;         // kRequestFlag, kMoreFlag.
  uint64_t in_reply_to = 0;  // 0: no answer.
};

// One thread at a time. `pipe` (null: nothing is called) and `schema` outlive it.
class MessageWriter {
 public:
  // `idle` is called every now and then while a call waits for room: the peer may wait for this side to receive.
  MessageWriter(Pipe* pipe, const SchemaIdentity& schema, uint64_t credit, absl::AnyInvocable<void()> idle)
      : pipe_(pipe), schema_(schema), credit_(credit), idle_(std::move(idle)) {}

  // The first record, unless it is sent already: this side's type, and what the peer may send. Errors of
  // `Pipe::SendParts`.
  absl::Status OfferSchema(Deadline deadline);

  // Sends a sealed message under the number `id`, whole or not at all: after an error the peer drops what has arrived.
  // Errors of `Pipe::SendParts` and `OutgoingMessage::Lend`.
  absl::Status Write(const OutgoingMessage& message, uint64_t id, const MessageRole& role, Deadline deadline);

  // Sends the rest of this side's schema nodes, which the peer needs to judge a layout of its own. Errors of
  // `EncodeSchema` and `Pipe::SendParts`; after DEADLINE_EXCEEDED it may go on.
  absl::Status WriteNodes(Deadline deadline);

  // False: no room now.
  absl::StatusOr<bool> TryWriteControl(RecordKind kind, uint64_t value);

 private:
  absl::Status WriteStored(const OutgoingMessage& message, const MessageHeader& header,
                           absl::Span<const FdView> descriptors, Deadline deadline);
  absl::Status SendRecordOf(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors, Deadline deadline);
  absl::Status WriteParts(absl::Span<const Blob> parts, uint64_t id, absl::Span<const FdView> descriptors,
                          Deadline deadline);

  Pipe* const pipe_;
  const SchemaIdentity& schema_;
  const uint64_t credit_;
  absl::AnyInvocable<void()> idle_;
  bool schema_sent_ = false;
  std::vector<std::byte> nodes_;  // Empty before `TryWriteNodes`.
  size_t nodes_sent_ = 0;         // Of their bytes.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_WRITER_H_
