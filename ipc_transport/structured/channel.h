// A channel that speaks one Cap'n Proto type.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_H_

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/answers.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/counters.h"
#include "ipc_transport/structured/internal/channel_core.h"
#include "ipc_transport/structured/internal/channel_handle.h"
#include "ipc_transport/structured/internal/handlers.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/message_type.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/pending_requests.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/message.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {

// Anything that lends its memory to messages: every session is one.
template <typename T>
concept HasMessageStore = requires(T& session) {
  { session.message_store() } -> std::convertible_to<std::shared_ptr<MessageStore>>;
};

// Drives the channels that are made with it: every session does, in its Dispatch.
template <typename T>
concept DrivesChannels =
    requires(T& session, const std::shared_ptr<internal::ChannelCore>& channel) { session.Drive(channel); };

// A member of the anonymous union of `Root`; of a root without one there are no types.
enum class NoMessageType : uint16_t {};
namespace internal {
template <typename Root>
struct MessageTypeOf {
  using Type = NoMessageType;
};
template <HasMessageTypes Root>
struct MessageTypeOf<Root> {
  using Type = typename Root::Which;
};
}  // namespace internal
template <typename Root>
using MessageType = typename internal::MessageTypeOf<Root>::Type;

// Sends and receives messages with the root struct `Root`; both ends speak the same type. Small messages travel in one
// record of the pipe; of large ones only the beginning does where the ends share memory (a session's), else they are
// copied through the pipe, in as many records as it takes. Move-only; destroying it closes it.
//
//   auto channel = StructuredChannel<Body>::Upgrade(session->TakeChannel(0), *session);
//   Message<Body> request = channel.NewMessage();
//   request.body().initGetCacheReq().setFileName("huge-file.bin");
//   absl::StatusOr<Incoming<Body>> answer = channel.Request(std::move(request), absl::Seconds(5));
//
// Messages that are no answers are taken by `Receive`, or by handlers, which run in `Dispatch` alone:
//
//   channel.On(Body::GET_CACHE_REQ, [&](Incoming<Body> request) { ... });
//   while (channel.Dispatch().ok()) {
//   }
//
// Threads: any, at once; each blocked `Request` gets its own answer, whichever comes first. One thread at a time calls
// `Dispatch`. A handler may call all but that: it may also wait, and close or destroy the channel.
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
  // memory if it has any, else on the heap; the session's Dispatch runs its handlers, as its own does. Never fails:
  // what is wrong is reported by the first call.
  template <HasMessageStore Session>
  static StructuredChannel Upgrade(Channel channel, Session& session, const StructuredChannelOptions& options = {}) {
    StructuredChannel upgraded = Upgrade(std::move(channel), session.message_store(), options);
    if constexpr (DrivesChannels<Session>) session.Drive(upgraded.core_.core());
    return upgraded;
  }
  // The same with a store of one's own, driven by no session; null: on the heap.
  static StructuredChannel Upgrade(Channel channel, std::shared_ptr<MessageStore> store = nullptr,
                                   const StructuredChannelOptions& options = {}) {
    return StructuredChannel(internal::ChannelCore::Create(
        std::move(channel), std::move(store), internal::IdentityOf<Root>(), options, internal::TypeOfIncoming<Root>));
  }

  // Built in the channel's memory. With `options.reserve_bytes` its `status` tells at once whether there is so much.
  Message<Root> NewMessage(const MessageOptions& options = {}) {
    return Message<Root>(internal::OutgoingMessage::New(core_->store(), options.reserve_bytes));
  }

  // Sending.

  // Sends a message that wants no answer; waits for room, and while the peer has as many waiting as it takes
  // (StructuredChannelOptions::max_waiting_messages). `message` is consumed, sent or not.
  // RESOURCE_EXHAUSTED: the channel's memory did not suffice for the message, or too many are out; the text has the
  // figures. INVALID_ARGUMENT: a `message` that was moved from or sent before, or refers to external data, or has more
  // descriptors than the pipe carries.
  // A message that lies in the memory of another session is copied.
  absl::Status Send(Message<Root>&& message, Deadline deadline = Deadline::Default()) {
    const auto [consumed, type] = std::move(message).Consume();
    return core_->Send(consumed.get(), {.type = type}, deadline);
  }
  absl::Status Send(const FrozenMessage<Root>& message, Deadline deadline = Deadline::Default()) {
    return core_->Send(message.message_.get(), {.type = message.type()}, deadline);
  }

  // As `Send`, then waits for the answer. What else comes meanwhile is kept, in order, for `Receive` or `Dispatch`.
  // RESOURCE_EXHAUSTED: too much of that is kept (see StructuredChannelOptions), or the answer is larger than this side
  // takes. An answer that comes after the deadline is dropped: the peer may have the request all the same.
  // OUT_OF_RANGE: the peer has finished sending. UNAVAILABLE also if it lets go of the request without an answer
  // (kNoAnswer), or could not take it; then the channel goes on.
  absl::StatusOr<Incoming<Root>> Request(Message<Root>&& message, Deadline deadline = Deadline::Default()) {
    const auto [consumed, type] = std::move(message).Consume();
    return Typed(core_->Request(consumed.get(), {.type = type}, deadline));
  }
  absl::StatusOr<Incoming<Root>> Request(const FrozenMessage<Root>& message, Deadline deadline = Deadline::Default()) {
    return Typed(core_->Request(message.message_.get(), {.type = message.type()}, deadline));
  }

  // As `Send`, but `on_answer` gets the answer: in `Dispatch`, once, unless the channel is closed on this side before.
  // Instead of an answer it gets DEADLINE_EXCEEDED at `deadline`, which is for sending and answer together, or the
  // channel's end. When this call fails it is never called.
  using AnswerHandler = absl::AnyInvocable<void(absl::StatusOr<Incoming<Root>>)>;
  absl::Status Request(Message<Root>&& message, AnswerHandler on_answer, Deadline deadline = Deadline::Default()) {
    return RequestAsync(std::move(message), false, std::move(on_answer), deadline);
  }

  // A request whose answers, any number of them, are taken from what is returned. As `Send`; `deadline` is for sending
  // alone.
  absl::StatusOr<Answers<Root>> RequestMany(Message<Root>&& message, Deadline deadline = Deadline::Default()) {
    const auto [consumed, type] = std::move(message).Consume();
    auto request = std::make_unique<internal::PendingRequest>();
    SLUICE_RETURN_IF_ERROR(core_->RequestMany(consumed.get(), {.type = type}, *request, deadline));
    return Answers<Root>(core_.core(), std::move(request));
  }
  // `on_answer` gets each of them (Incoming::more_follow tells the last), or an error, which is the end. `deadline` is
  // for all of them.
  absl::Status RequestMany(Message<Root>&& message, AnswerHandler on_answer, Deadline deadline = Deadline::Default()) {
    return RequestAsync(std::move(message), true, std::move(on_answer), deadline);
  }

  // Receiving.

  // The next message that is no answer, in the order of sending, whether it has a handler or not.
  // OUT_OF_RANGE: the peer has finished sending. RESOURCE_EXHAUSTED: the next was larger than this side takes, and was
  // dropped.
  absl::StatusOr<Incoming<Root>> Receive(Deadline deadline = Deadline::Default()) {
    return Typed(core_->Receive(deadline));
  }

  // From now on `handler` runs in `Dispatch` for each message, or for the next one, whose root is the union member
  // `type`; `OnOther` for those without a handler of their own, also from a peer whose schema has more types. A handler
  // replaces the one before; null: none. Messages without any wait, in order, and count against what the peer may send:
  // give `OnOther` to drop them. One that was larger than this side takes is only counted. What a handler throws comes
  // out of `Dispatch`; the channel goes on.
  using Handler = absl::AnyInvocable<void(Incoming<Root>)>;
  void On(MessageType<Root> type, Handler handler) {
    core_->On(static_cast<uint16_t>(type), Untyped(std::move(handler)));
  }
  void Once(MessageType<Root> type, Handler handler) {
    core_->Once(static_cast<uint16_t>(type), Untyped(std::move(handler)));
  }
  void OnOther(Handler handler) { core_->OnOther(Untyped(std::move(handler))); }

  // Runs in `Dispatch`, once, after all that came before: why nothing more comes from the peer. It does not run once
  // this side has closed the channel.
  using EndHandler = absl::AnyInvocable<void(const absl::Status& end)>;
  void OnEnd(EndHandler handler) { core_->OnEnd(std::move(handler)); }

  // Runs one handler or callback, for what has come; waits for that. DEADLINE_EXCEEDED: there was nothing to run.
  // FAILED_PRECONDITION: called by a handler, or while another thread is in it. After the last: the channel's end.
  absl::Status Dispatch(Deadline deadline = Deadline::Default()) { return core_->Dispatch(deadline); }

  // The same for an event loop: false: there is nothing to run now. `event_fd` becomes readable when there may be
  // something, a deadline of a callback that has passed included, and stays so until this returns false; it is the
  // channel's. RESOURCE_EXHAUSTED: no descriptor for it (raise RLIMIT_NOFILE).
  absl::StatusOr<bool> TryDispatch() { return core_->TryDispatch(); }
  absl::StatusOr<FdView> event_fd() { return core_->EventFd(); }

  // What passed since the channel was made.
  StructuredCounters counters() const { return core_->counters(); }

  // How calls wait. Call it before the first of them.
  void set_wait_mode(WaitMode mode) { core_->set_wait_mode(mode); }

  // Ends both directions; waiting calls return CANCELLED. What was not received is dropped. Never waits, but gives back
  // what the peer lent, which takes up to a second where the peer goes on sending.
  void Close() { core_->Close(); }

 private:
  explicit StructuredChannel(std::shared_ptr<internal::ChannelCore> core) : core_(std::move(core)) {}

  static absl::StatusOr<Incoming<Root>> Typed(absl::StatusOr<internal::IncomingMessage::Ptr> message) {
    if (!message.ok()) return std::move(message).status();
    return Incoming<Root>(*std::move(message));
  }

  static internal::MessageHandler Untyped(Handler handler) {
    if (!handler) return nullptr;
    return [handler = std::move(handler)](internal::IncomingMessage::Ptr message) mutable {
      handler(Incoming<Root>(std::move(message)));
    };
  }

  absl::Status RequestAsync(Message<Root>&& message, bool wants_many, AnswerHandler on_answer, Deadline deadline) {
    const auto [consumed, type] = std::move(message).Consume();
    auto untyped = [on_answer = std::move(on_answer)](absl::StatusOr<internal::IncomingMessage::Ptr> answer) mutable {
      on_answer(Typed(std::move(answer)));
    };
    return core_->RequestAsync(consumed.get(), {.type = type}, wants_many, std::move(untyped), deadline);
  }

  internal::ChannelHandle core_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_H_
