// A channel that speaks one Cap'n Proto type.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_H_

#include <concepts>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/internal/channel_core.h"
#include "ipc_transport/structured/internal/channel_handle.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/message.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {

// Anything that lends its memory to messages: every session is one.
template <typename T>
concept HasMessageStore = requires(T& session) {
  { session.message_store() } -> std::convertible_to<std::shared_ptr<MessageStore>>;
};

// Sends and receives messages with the root struct `Root`; both ends speak the same type. Small messages travel in one
// record of the pipe; of large ones only the beginning does where the ends share memory (a session's), else they are
// copied through the pipe, in as many records as it takes. Move-only; destroying it closes it.
//
//   auto channel = StructuredChannel<Body>::Upgrade(session->TakeChannel(0), *session);
//   Message<Body> request = channel.NewMessage();
//   request.body().initGetCacheReq().setFileName("huge-file.bin");
//   absl::StatusOr<Incoming<Body>> answer = channel.Request(std::move(request), absl::Seconds(5));
//
// Threads: any may call, but one at a time sends and one at a time receives: a second `Send` or `Reply` waits for the
// first, a second `Receive` or `Request` for the one before it to return, until their deadlines. Two threads' requests
// therefore follow each other.
//
// Errors that every call may return:
// FAILED_PRECONDITION: the ends speak different types (both are named), or the channel was invalid or moved from.
// CANCELLED: closed on this side. UNAVAILABLE: the peer has closed its end or is dead; what it sent before is received
// first. DATA_LOSS: the peer broke the protocol; the channel is of no more use. DEADLINE_EXCEEDED: too late; the
// channel goes on.
template <typename Root>
class StructuredChannel {
 public:
  // Takes over a raw channel, whose peer must do the same before it sends anything. Messages lie in the session's
  // memory if it has any, else on the heap. Never fails: what is wrong is reported by the first call.
  template <HasMessageStore Session>
  static StructuredChannel Upgrade(Channel channel, Session& session, const StructuredChannelOptions& options = {}) {
    return Upgrade(std::move(channel), session.message_store(), options);
  }
  // The same with a store of one's own; null: on the heap.
  static StructuredChannel Upgrade(Channel channel, std::shared_ptr<MessageStore> store = nullptr,
                                   const StructuredChannelOptions& options = {}) {
    return StructuredChannel(
        internal::ChannelCore::Create(std::move(channel), std::move(store), internal::IdentityOf<Root>(), options));
  }

  // Built in the channel's memory.
  Message<Root> NewMessage() { return Message<Root>(core_.NewMessage()); }

  // Sends a message that wants no answer; waits for room. `message` is consumed, sent or not.
  // RESOURCE_EXHAUSTED: the channel's memory did not suffice for the message, or too many are out; the text has the
  // figures. INVALID_ARGUMENT: a `message` that was moved from or sent before, or refers to external data, or has more
  // descriptors than the pipe carries.
  // FAILED_PRECONDITION: the message lies in the memory of another session.
  absl::Status Send(Message<Root>&& message, Deadline deadline = Deadline::Default()) {
    const internal::OutgoingMessage::Ptr consumed = std::move(message.message_);
    return core_.Send(consumed.get(), deadline);
  }
  absl::Status Send(const FrozenMessage<Root>& message, Deadline deadline = Deadline::Default()) {
    return core_.Send(message.message_.get(), deadline);
  }

  // As `Send`, then waits for the answer. What else comes meanwhile is kept for `Receive`, in order.
  // RESOURCE_EXHAUSTED: too much of that is kept (see StructuredChannelOptions), or the answer is larger than this side
  // takes. An answer that comes after the deadline is dropped. OUT_OF_RANGE: the peer has finished sending.
  absl::StatusOr<Incoming<Root>> Request(Message<Root>&& message, Deadline deadline = Deadline::Default()) {
    const internal::OutgoingMessage::Ptr consumed = std::move(message.message_);
    return Typed(core_.Request(consumed.get(), deadline));
  }

  // The next message that is no answer, in the order of sending.
  // OUT_OF_RANGE: the peer has finished sending. RESOURCE_EXHAUSTED: the next was larger than this side takes, and was
  // dropped.
  absl::StatusOr<Incoming<Root>> Receive(Deadline deadline = Deadline::Default()) {
    return Typed(core_.Receive(deadline));
  }

  // How calls wait. Call it before the first of them.
  void set_wait_mode(WaitMode mode) { core_.set_wait_mode(mode); }

  // Ends both directions; waiting calls return CANCELLED. What was not received is dropped. Never waits.
  void Close() { core_.Close(); }

 private:
  explicit StructuredChannel(std::shared_ptr<internal::ChannelCore> core) : core_(std::move(core)) {}

  static absl::StatusOr<Incoming<Root>> Typed(absl::StatusOr<internal::IncomingMessage::Ptr> message) {
    if (!message.ok()) return std::move(message).status();
    return Incoming<Root>(*std::move(message));
  }

  internal::ChannelHandle core_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_H_
