// A structured channel without its type.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_CORE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_CORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/joiner.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/internal/turn.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Errors and threads as in StructuredChannel. Shared by the channel and the requests that still want their answer.
class ChannelCore : public std::enable_shared_from_this<ChannelCore> {
 public:
  // Offers `schema`, which must outlive it, to the peer, if there is room for it now.
  static std::shared_ptr<ChannelCore> Create(Channel channel, std::shared_ptr<MessageStore> store,
                                             const SchemaIdentity& schema, const StructuredChannelOptions& options);

  // Use `Create`.
  ChannelCore(std::unique_ptr<Pipe> pipe, std::shared_ptr<MessageStore> store, const SchemaIdentity& schema,
              const StructuredChannelOptions& options);
  ~ChannelCore() { Close(); }

  OutgoingMessage::Ptr NewMessage() { return OutgoingMessage::New(store_); }

  // Of the calls that send, INVALID_ARGUMENT: the message is null.
  absl::Status Send(OutgoingMessage* message, Deadline deadline);
  absl::StatusOr<IncomingMessage::Ptr> Request(OutgoingMessage* message, Deadline deadline);
  absl::StatusOr<IncomingMessage::Ptr> Receive(Deadline deadline);
  // `request`'s answer, once.
  static absl::Status Reply(IncomingMessage& request, OutgoingMessage* answer, Deadline deadline);

  void set_wait_mode(WaitMode mode);
  void Close();

  // Answers that came after their request's deadline, or to no request at all.
  uint64_t late_answers() const { return late_answers_.load(std::memory_order_relaxed); }  // A counter alone.

 private:
  // The channel is of no more use.
  absl::Status Break(const absl::Status& status);
  absl::Status EndStatus();

  absl::StatusOr<uint64_t> SendMessage(OutgoingMessage* message, uint8_t flags, uint64_t in_reply_to,
                                       Deadline deadline);
  absl::Status WriteMessage(const OutgoingMessage& message, const MessageHeader& header, Deadline deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_turn_);
  absl::Status WriteStored(const OutgoingMessage& message, const MessageHeader& header,
                           absl::Span<const FdView> descriptors, Deadline deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_turn_);
  absl::Status WriteParts(absl::Span<const Blob> parts, uint64_t id, absl::Span<const FdView> descriptors,
                          Deadline deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_turn_);
  absl::Status SendSchema(Deadline deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_turn_);

  // Reports a mismatch at the first call, if the peer's schema is here by then; never waits for it.
  absl::Status LookForSchema() ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);
  // The next message of any kind.
  absl::StatusOr<IncomingMessage::Ptr> Next(Deadline deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);
  absl::StatusOr<IncomingMessage::Ptr> NextAnswer(uint64_t request, Deadline deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);
  // Null: no record is here, or it was none of the user's business; `*got_record` tells.
  absl::StatusOr<IncomingMessage::Ptr> TryNext(bool* got_record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);
  absl::StatusOr<IncomingMessage::Ptr> Handle(absl::Span<const std::byte> bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);
  absl::Status HandleSchema(const SchemaRecord& schema) ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);
  absl::StatusOr<IncomingMessage::Ptr> HandleFragment(const FragmentRecord& fragment)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);
  absl::Status CheckIds(const MessageRecord& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);
  // Null if nothing of the message is stored.
  absl::StatusOr<std::unique_ptr<BorrowedSegments>> Borrow(const MessageRecord& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);
  IncomingMessage::Ptr HandOut(IncomingMessage::Ptr message);
  absl::Status CheckRoomToWait() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);
  void CountLateAnswer(const IncomingMessage& answer);
  void Drain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(receive_turn_);

  const std::unique_ptr<Pipe> pipe_;  // Null: the channel was invalid.
  const std::shared_ptr<MessageStore> store_;
  const SchemaIdentity& schema_;
  const size_t max_waiting_messages_;
  const uint64_t max_heap_bytes_;

  // Set once `end_status_` is; release there, acquire in `EndStatus`.
  std::atomic<bool> ended_{false};
  // Set by the receiving thread once the peer's schema is found to agree. Release there, acquire by senders, who look
  // no further.
  std::atomic<bool> peer_checked_{false};
  std::atomic<uint64_t> late_answers_{0};
  Mutex end_mutex_;
  absl::Status end_status_ ABSL_GUARDED_BY(end_mutex_);

  Turn send_turn_;
  bool schema_sent_ ABSL_GUARDED_BY(send_turn_) = false;
  // Written under `send_turn_`; the receiving thread looks up to where answers may refer. Relaxed: an answer comes
  // through the pipe, after its request.
  std::atomic<uint64_t> next_id_{1};

  Turn receive_turn_;
  std::unique_ptr<std::byte[]> record_ ABSL_GUARDED_BY(receive_turn_);  // The last one; not cleared.
  std::vector<Fd> descriptors_ ABSL_GUARDED_BY(receive_turn_);          // Came with it.
  Joiner joiner_ ABSL_GUARDED_BY(receive_turn_);
  uint64_t last_id_ ABSL_GUARDED_BY(receive_turn_) = 0;  // Of the peer's messages.
  std::deque<IncomingMessage::Ptr> waiting_ ABSL_GUARDED_BY(receive_turn_);
  uint64_t waiting_bytes_ ABSL_GUARDED_BY(receive_turn_) = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_CORE_H_
