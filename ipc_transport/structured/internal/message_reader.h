// The receiving half of a structured channel: records of the pipe become messages.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_READER_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_READER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/joiner.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A message that this side could not take, and why.
struct DroppedMessage {
  absl::Status why;          // RESOURCE_EXHAUSTED
  uint64_t in_reply_to = 0;  // 0: no answer, or not known.
  uint64_t request = 0;      // Its id, if it wants an answer.
};

// What a record brought; monostate: nothing that concerns the channel's user.
using Arrival =
    std::variant<std::monostate, IncomingMessage::Ptr, DroppedMessage, CreditRecord, UnwantedRecord, NoAnswerRecord>;

// One thread at a time. `pipe` (null: nothing is called), `schema` and `next_own_id` outlive it.
class MessageReader {
 public:
  // Takes messages of up to `options.max_copied_bytes` into this process's own memory. No answer may refer to
  // `next_own_id` or beyond.
  MessageReader(Pipe* pipe, std::shared_ptr<MessageStore> store, const SchemaIdentity& schema,
                const IncomingOptions& options, const std::atomic<uint64_t>& next_own_id)
      : pipe_(pipe),
        store_(std::move(store)),
        schema_(schema),
        options_(options),
        next_own_id_(next_own_id),
        joiner_(options.max_copied_bytes) {}

  // The next record; nullopt: none is here.
  // DATA_LOSS: the peer broke the protocol; FAILED_PRECONDITION: the peer speaks another type, or in shared memory
  // where this side has none: nothing is to be read any more. Else as `Pipe::TryReceive`.
  absl::StatusOr<std::optional<Arrival>> TryRead();

  // The peer speaks this side's type, in this layout or another.
  bool peer_checked() const { return peer_credit_ != 0; }
  // In another, and whether it fits is not known yet: the nodes of both sides have to be exchanged for that.
  bool is_judging() const { return judged_.has_value(); }
  // What its first record allowed; 0 before.
  uint64_t peer_credit() const { return peer_credit_; }

 private:
  absl::StatusOr<Arrival> Handle(absl::Span<const std::byte> bytes);
  absl::Status HandleSchema(const SchemaRecord& schema);
  absl::Status HandleNodes(const NodesRecord& nodes);
  absl::StatusOr<Arrival> HandleFragment(const FragmentRecord& fragment);
  absl::StatusOr<Arrival> HandleMessage(const MessageRecord& message, absl::Span<const std::byte> record);
  // What the first fragment of a message says of it; all zero where it is too short, or says what cannot be.
  MessageHeader BeginningOf(absl::Span<const std::byte> bytes) const;
  absl::Status CheckIds(const MessageRecord& message);
  // Null if nothing of the message is stored.
  absl::StatusOr<std::unique_ptr<BorrowedSegments>> Borrow(const MessageRecord& message);

  Pipe* const pipe_;
  const std::shared_ptr<MessageStore> store_;
  const SchemaIdentity& schema_;
  const IncomingOptions options_;
  const std::atomic<uint64_t>& next_own_id_;  // Relaxed: an answer comes through the pipe, after its request.

  // What is known of a peer with another layout, until it is found to fit.
  struct Judged {
    SchemaRecord schema;  // `name` lies beside it.
    std::string name;
    std::vector<std::byte> nodes;  // So far.
  };

  uint64_t peer_credit_ = 0;
  std::optional<Judged> judged_;
  std::unique_ptr<std::byte[]> record_;  // The last one; not cleared.
  std::vector<Fd> descriptors_;          // Came with it.
  Joiner joiner_;
  MessageHeader joined_ = {};  // Of the message that is being joined, as far as it can be known.
  uint64_t last_id_ = 0;       // Of the peer's messages.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_READER_H_
