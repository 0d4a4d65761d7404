// Typed messages: built, frozen to be sent many times, and received.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_MESSAGE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_MESSAGE_H_

#include <capnp/orphan.h>
#include <capnp/schema.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/structured/internal/channel_core.h"
#include "ipc_transport/structured/internal/debug_text.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/message_type.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {

template <typename Root>
class Answers;
template <typename Root>
class FrozenMessage;
template <typename Root>
class Incoming;
template <typename Root>
class StructuredChannel;

// How a message is built.
struct MessageOptions {
  // Allocated at once, in one piece, where it is more than the some 1000 bytes that a message holds by itself: whether
  // the memory suffices shows in `Message::status` before anything is built. Below 4 GiB.
  size_t reserve_bytes = 0;
};

// A message that is being built; `Root` is any Cap'n Proto struct. Move-only; one thread. Once moved from, sent or
// frozen it may only be destroyed or assigned to.
//
//   Message<Body> request = channel.NewMessage();
//   request.body().initGetCacheReq().setFileName("huge-file.bin");
//   absl::StatusOr<Incoming<Body>> answer = channel.Request(std::move(request), absl::Seconds(5));
template <typename Root>
class Message {
 public:
  // On the heap, for any channel; its content is copied when it is sent. `NewMessage` of a channel builds in the
  // channel's memory instead.
  Message() : Message(MessageOptions()) {}
  explicit Message(const MessageOptions& options)
      : message_(internal::OutgoingMessage::New(nullptr, options.reserve_bytes)) {}

  // On the heap, with what a reader or a builder (`asReader`) of any other message holds.
  static Message CopyOf(typename Root::Reader body) {
    Message message;
    message.CopyFrom(body);
    return message;
  }

  // The root; initialised at first use. Building never fails: see `status`. Cap'n Proto's own limits (a list has at
  // most 2^29 - 1 elements) are its exceptions.
  typename Root::Builder body() { return message_->builder().template getRoot<Root>(); }

  // Takes the place of what was built; `body` is of another message. As `body()`; where `body` is a peer's and its
  // inside is malformed, Cap'n Proto's reader throws kj::Exception, and part of it was copied.
  void CopyFrom(typename Root::Reader body) { message_->builder().setRoot(body); }

  // For parts that are built first and adopted later; they are destroyed before the message. Of what is not adopted,
  // the space is sent nevertheless. `referenceExternalData` makes a message that cannot be sent.
  capnp::Orphanage orphanage() { return message_->builder().getOrphanage(); }

  // For people: Cap'n Proto's text format, with long texts and data shortened and all beyond `max_bytes` of text left
  // out; says where something is missing, and how large the message is. Takes time in proportion to `max_bytes` alone.
  std::string DebugString(size_t max_bytes = 4096) const {
    const typename Root::Reader body = message_->builder().template getRoot<Root>().asReader();
    return internal::DebugText(body, capnp::Schema::from<Root>(), max_bytes, message_->bytes());
  }

  // Sent with the message, and closed with it. INVALID_ARGUMENT: not open, or the 17th.
  absl::Status AttachDescriptor(Fd fd) { return message_->AttachDescriptor(std::move(fd)); }

  // Built so far.
  size_t bytes() const { return message_->bytes(); }

  // RESOURCE_EXHAUSTED, with figures, once the channel's memory was exhausted while building, or could not be reserved:
  // what followed was built in private memory, and the message cannot be sent.
  absl::Status status() const { return message_->status(); }

  // May then be sent many times, on every channel. One that lies in the memory of another session is copied
  // each time.
  // RESOURCE_EXHAUSTED: as `status`, or too many messages are out. INVALID_ARGUMENT: moved from, sent or frozen before,
  // or it refers to external data (Cap'n Proto's Orphanage::referenceExternalData); copy it.
  absl::StatusOr<FrozenMessage<Root>> Freeze() && {
    std::shared_ptr<internal::OutgoingMessage> message = std::move(message_);
    if (message == nullptr) return internal::NoMessage();
    // First, since it makes a root where there is none.
    const typename Root::Reader body = message->builder().template getRoot<Root>().asReader();
    SLUICE_RETURN_IF_ERROR(message->Seal());
    return FrozenMessage<Root>(std::move(message), body);
  }

 private:
  friend class FrozenMessage<Root>;
  friend class Incoming<Root>;
  friend class StructuredChannel<Root>;

  explicit Message(internal::OutgoingMessage::Ptr message) : message_(std::move(message)) {}

  // What is to be sent, and its type; nothing is left here. Null: moved from.
  struct Consumed {
    internal::OutgoingMessage::Ptr message;
    std::optional<uint16_t> type;
  };
  Consumed Consume() && {
    if (message_ == nullptr) return {};
    const std::optional<uint16_t> type = internal::TypeOf<Root>(body().asReader());
    return {.message = std::move(message_), .type = type};
  }

  internal::OutgoingMessage::Ptr message_;
};

// An immutable message; copies share it. Any thread.
template <typename Root>
class FrozenMessage {
 public:
  // Valid as long as a copy of this.
  typename Root::Reader body() const& { return body_; }
  typename Root::Reader body() const&& = delete;

  size_t bytes() const { return message_->bytes(); }

  // A message to be changed, in the same memory as this one: always a copy, so that no reader is disturbed. Descriptors
  // stay behind. See `Message::status`: the memory may not suffice for a second one.
  Message<Root> Thaw() const {
    Message<Root> thawed(message_->NewAlike());
    thawed.CopyFrom(body_);
    return thawed;
  }

  // As of Message.
  std::string DebugString(size_t max_bytes = 4096) const {
    return internal::DebugText(body_, capnp::Schema::from<Root>(), max_bytes, bytes());
  }

 private:
  friend class Incoming<Root>;
  friend class Message<Root>;
  friend class StructuredChannel<Root>;

  FrozenMessage(std::shared_ptr<internal::OutgoingMessage> message, typename Root::Reader body)
      : message_(std::move(message)), body_(body) {}

  std::optional<uint16_t> type() const { return internal::TypeOf<Root>(body_); }

  std::shared_ptr<internal::OutgoingMessage> message_;
  typename Root::Reader body_;
};

// A received message, read in place. Move-only; one thread at a time. What `body()` returns lives as long as this; it
// may outlive the channel and the session.
template <typename Root>
class Incoming {
 public:
  Incoming(Incoming&& other) noexcept = default;
  Incoming& operator=(Incoming&& other) noexcept {
    if (this != &other) {
      GiveUp();
      message_ = std::move(other.message_);
    }
    return *this;
  }
  ~Incoming() { GiveUp(); }

  // Of a peer's message whose inside is malformed, Cap'n Proto's readers throw kj::Exception.
  typename Root::Reader body() const& { return message_->root().template as<Root>(); }
  typename Root::Reader body() const&& = delete;

  // As of Message; what is malformed is named in its place. Does not count as reading.
  std::string DebugString(size_t max_bytes = 4096) const {
    return message_->DebugText(capnp::Schema::from<Root>(), max_bytes);
  }

  // To be moved out; the rest is closed with the message.
  std::vector<Fd>& descriptors() { return message_->descriptors(); }

  // It is a request, answered or not.
  bool expects_reply() const { return message_->is_request(); }

  // Of several answers to one request, further ones follow this.
  bool more_follow() const { return message_->more_follow(); }

  // Answers a request, once; after `ReplyMore` this is the last answer. `answer` is consumed, sent or not.
  // FAILED_PRECONDITION: not a request, or answered already. Else as `StructuredChannel::Send`, and then it may be
  // tried again, with a new answer. Where a request is destroyed unanswered, the peer's `Request` is UNAVAILABLE
  // (kNoAnswer).
  absl::Status Reply(Message<Root>&& answer, Deadline deadline = Deadline::Default()) {
    return Reply(std::move(answer), false, deadline);
  }
  absl::Status Reply(const FrozenMessage<Root>& answer, Deadline deadline = Deadline::Default()) {
    return Reply(answer, false, deadline);
  }

  // One of many answers, to whoever called `RequestMany`; `Reply` sends the last. To a request that wants one answer it
  // is that one. Else as `Reply`.
  absl::Status ReplyMore(Message<Root>&& answer, Deadline deadline = Deadline::Default()) {
    return Reply(std::move(answer), true, deadline);
  }
  absl::Status ReplyMore(const FrozenMessage<Root>& answer, Deadline deadline = Deadline::Default()) {
    return Reply(answer, true, deadline);
  }

  // Answers, and asks for an answer to that in turn, as `StructuredChannel::Request` does. Not to be tried again.
  absl::StatusOr<Incoming> ReplyAndRequest(Message<Root>&& answer, Deadline deadline = Deadline::Default()) {
    const auto [consumed, type] = std::move(answer).Consume();
    SLUICE_ASSIGN_OR_RETURN(
        internal::IncomingMessage::Ptr next,
        internal::ChannelCore::ReplyAndRequest(consumed.get(), {.answered = message_.get(), .type = type}, deadline));
    return Incoming(std::move(next));
  }

 private:
  friend class Answers<Root>;
  friend class StructuredChannel<Root>;

  explicit Incoming(internal::IncomingMessage::Ptr message) : message_(std::move(message)) {}

  void GiveUp() {
    if (message_ != nullptr) internal::ChannelCore::GiveUp(*message_);
  }

  absl::Status Reply(Message<Root>&& answer, bool more_follow, Deadline deadline) {
    const auto [consumed, type] = std::move(answer).Consume();
    return internal::ChannelCore::Reply(
        consumed.get(), {.answered = message_.get(), .more_follow = more_follow, .type = type}, deadline);
  }
  absl::Status Reply(const FrozenMessage<Root>& answer, bool more_follow, Deadline deadline) {
    return internal::ChannelCore::Reply(answer.message_.get(),
                                        {.answered = message_.get(), .more_follow = more_follow, .type = answer.type()},
                                        deadline);
  }

  internal::IncomingMessage::Ptr message_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_MESSAGE_H_
