#include "ipc_transport/ring_pipe.h"

#include <poll.h>

#include <atomic>
#include <cstdint>

#include "absl/base/optimization.h"
#include "absl/time/time.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/link_events.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_transport/internal/ring_handshake.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_transport/internal/ring_parts.h"
#include "ipc_transport/internal/ring_receiver.h"
#include "ipc_transport/internal/ring_sender.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using internal::Link;
using internal::Spinner;

// A user who only polls learns of the peer's death by every so many looks in vain.
constexpr uint32_t kPollsPerPump = 1024;

// How long a sender leaves a busy reader alone, before it asks for room for each record.
constexpr absl::Duration kPatience = absl::Microseconds(50);

// Spins as `mode` allows, then sleeps until `ready()`. `begin_sleep` tells the peer, `end_sleep` takes that back.
template <typename Ready, typename BeginSleep, typename EndSleep>
absl::Status WaitUntil(Link& link, Spinner& spinner, internal::DirectionStats& stats, WaitMode mode, Deadline deadline,
                       Ready ready, BeginSleep begin_sleep, EndSleep end_sleep) {
  if (ready()) return absl::OkStatus();
  if (spinner.Spin(mode, deadline, ready, [&] { link.Pump(); })) {
    stats.CountSpin();
    return absl::OkStatus();
  }
  stats.CountSleep();
  absl::Status status;
  while (status.ok()) {
    const uint64_t ticket = link.Ticket();
    begin_sleep();
    const bool is_ready = ready();
    if (!is_ready) status = link.Wait(ticket, deadline);
    end_sleep();
    if (is_ready || ready()) return absl::OkStatus();
  }
  return status;
}

}  // namespace

struct RingPipe::State {
  static constexpr uint64_t kNotArmed = ~uint64_t{0};

  explicit State(internal::RingParts made_of)
      : parts(std::move(made_of)),
        own(parts.own),
        peer(parts.peer),
        sender(own, peer, *parts.link, parts.channel),
        send_spinner(own.control.send_processor, peer.control.receive_processor),
        receiver(own, peer, *parts.link, parts.channel),
        receive_spinner(own.control.receive_processor, peer.control.send_processor) {}

  const internal::RingParts parts;
  const internal::OwnLane own;
  const internal::PeerLane peer;
  // Set by `Close`, which any thread may call. Release there, acquire in `HasEnded`.
  std::atomic<bool> closed{false};

  // The sending thread's.
  internal::RingSender sender;
  Spinner send_spinner;
  bool finished = false;
  std::unique_ptr<internal::LinkEvents> send_events;  // In an event loop only.

  // The receiving thread's.
  alignas(internal::kLinePairBytes) internal::RingReceiver receiver;
  Spinner receive_spinner;
  uint32_t polls = 0;
  std::unique_ptr<internal::LinkEvents> receive_events;  // In an event loop only.
  uint64_t armed_at = kNotArmed;                         // The receiver's position, once a session's loop drives it.
};

absl::StatusOr<std::pair<std::unique_ptr<RingPipe>, std::unique_ptr<RingPipe>>> RingPipe::CreatePair(
    const RingPipeOptions& options) {
  SLUICE_ASSIGN_OR_RETURN(auto sockets, internal::MakePairOfSockets());
  SLUICE_ASSIGN_OR_RETURN(auto first, internal::RingHandshake::Create(std::move(sockets.first), options.ring_bytes));
  SLUICE_ASSIGN_OR_RETURN(auto second, internal::RingHandshake::Create(std::move(sockets.second), options.ring_bytes));
  SLUICE_RETURN_IF_ERROR(first.Send(Deadline::Default()));
  SLUICE_RETURN_IF_ERROR(second.Send(Deadline::Default()));
  SLUICE_ASSIGN_OR_RETURN(internal::RingParts first_parts, std::move(first).Receive(Deadline::Passed()));
  SLUICE_ASSIGN_OR_RETURN(internal::RingParts second_parts, std::move(second).Receive(Deadline::Passed()));
  return std::make_pair(FromParts(std::move(first_parts)), FromParts(std::move(second_parts)));
}

absl::StatusOr<std::unique_ptr<RingPipe>> RingPipe::FromSocket(Fd socket, const RingPipeOptions& options,
                                                               Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(auto handshake, internal::RingHandshake::Create(std::move(socket), options.ring_bytes));
  SLUICE_RETURN_IF_ERROR(handshake.Send(deadline));
  SLUICE_ASSIGN_OR_RETURN(internal::RingParts parts, std::move(handshake).Receive(deadline));
  return FromParts(std::move(parts));
}

std::unique_ptr<RingPipe> RingPipe::FromParts(internal::RingParts parts) {
  return std::unique_ptr<RingPipe>(new RingPipe(std::make_unique<State>(std::move(parts))));
}

RingPipe::RingPipe(std::unique_ptr<State> state) : state_(std::move(state)) {}

RingPipe::~RingPipe() { Close(); }

size_t RingPipe::max_message_bytes() const { return state_->sender.max_payload(); }

size_t RingPipe::max_descriptors() const { return internal::kMaxDescriptors; }

bool RingPipe::HasEnded() const {
  return state_->closed.load(std::memory_order_acquire) || state_->parts.link->ended() ||  // Pairs with `Close`.
         state_->receiver.PeerHasClosed();
}

absl::Status RingPipe::EndStatus() const {
  if (state_->closed.load(std::memory_order_acquire)) {  // Pairs with `Close`.
    return internal::ClosedHere();
  }
  if (state_->receiver.PeerHasClosed()) return internal::PeerClosed();
  return state_->parts.link->end_status();
}

absl::Status RingPipe::CheckSending() const {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  if (HasEnded()) return EndStatus();
  return state_->finished ? internal::FinishedHere() : absl::OkStatus();
}

template <typename Attempt>
auto RingPipe::SendBy(Attempt attempt) -> decltype(attempt()) {
  while (true) {
    auto result = attempt();
    if (ABSL_PREDICT_TRUE(result.ok() && *result)) {
      if (ABSL_PREDICT_FALSE(state_->parts.link->keeps_alive())) state_->parts.link->Passed(/*from_peer=*/false);
      return result;
    }
    state_->parts.link->Pump();
    // A call that the peer's end made fail reports the end; a bad argument stays one.
    if (HasEnded() && !absl::IsInvalidArgument(result.status())) return EndStatus();
    if (!result.ok()) return result;
    if (!RoomCameMeanwhile()) {
      send_stats().CountRefusal();
      return result;
    }
  }
}

bool RingPipe::RoomCameMeanwhile() {
  if (state_->send_events == nullptr) return false;
  state_->send_events->Quiet();
  if (state_->sender.link_was_full()) {
    state_->send_events->Signal();  // Nothing else will tell.
    return false;
  }
  state_->sender.Wish(internal::RoomWish::kAsleep);
  return state_->sender.HasRoom() || HasEnded();
}

absl::StatusOr<bool> RingPipe::TrySendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors) {
  const size_t bytes = internal::TotalBytes(parts);
  SLUICE_RETURN_IF_ERROR(
      internal::CheckMessageLimits(bytes, max_message_bytes(), descriptors.size(), max_descriptors()));
  SLUICE_RETURN_IF_ERROR(CheckSending());
  absl::StatusOr<bool> sent = SendBy([&] { return state_->sender.TrySend(parts, bytes, descriptors); });
  if (ABSL_PREDICT_TRUE(sent.ok() && *sent)) send_stats().CountMessage(bytes);
  return sent;
}

absl::StatusOr<size_t> RingPipe::TrySendBatch(absl::Span<const Blob> messages) {
  SLUICE_RETURN_IF_ERROR(CheckSending());
  SLUICE_ASSIGN_OR_RETURN(messages, internal::WithinLimit(messages, max_message_bytes()));
  size_t sent = 0;
  while (sent < messages.size()) {
    const absl::StatusOr<size_t> more = SendBy([&] { return state_->sender.TrySendBatch(messages.subspan(sent)); });
    if (!more.ok() && sent == 0) return more;
    if (!more.ok() || *more == 0) break;
    for (const Blob& message : messages.subspan(sent, *more)) send_stats().CountMessage(message.size());
    sent += *more;
  }
  return sent;
}

absl::StatusOr<std::optional<absl::Span<std::byte>>> RingPipe::TryReserve(size_t bytes) {
  SLUICE_RETURN_IF_ERROR(internal::CheckMessageLimits(bytes, max_message_bytes(), 0, max_descriptors()));
  SLUICE_RETURN_IF_ERROR(CheckSending());
  return SendBy([&] { return state_->sender.TryReserve(bytes); });
}

absl::StatusOr<bool> RingPipe::TryCommit(size_t bytes, absl::Span<const FdView> descriptors) {
  SLUICE_RETURN_IF_ERROR(
      internal::CheckMessageLimits(bytes, max_message_bytes(), descriptors.size(), max_descriptors()));
  SLUICE_RETURN_IF_ERROR(CheckSending());
  SLUICE_RETURN_IF_ERROR(internal::CheckReservation(bytes, state_->sender.reserved_bytes()));
  absl::StatusOr<bool> sent = SendBy([&] { return state_->sender.TryCommit(bytes, descriptors); });
  if (ABSL_PREDICT_TRUE(sent.ok() && *sent)) send_stats().CountMessage(bytes);
  return sent;
}

template <typename Attempt>
auto RingPipe::ReceiveBy(Attempt attempt) -> decltype(attempt()) {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  if (state_->closed.load(std::memory_order_acquire)) return EndStatus();  // Pairs with `Close`.
  while (true) {
    const bool at_once = state_->receiver.HasRecord();
    if (ABSL_PREDICT_FALSE(!at_once) && ++state_->polls % kPollsPerPump == 0) state_->parts.link->Pump();
    const bool ended = !at_once && HasEnded();
    // What was committed before the end is visible by now: data first.
    auto result = attempt();
    if (ABSL_PREDICT_TRUE(!result.ok() || result->has_value())) {
      if (ABSL_PREDICT_FALSE(state_->parts.link->keeps_alive())) state_->parts.link->Passed(/*from_peer=*/at_once);
      return result;
    }
    if (ended) return EndStatus();
    if (!MessageCameMeanwhile()) {
      receive_stats().CountRefusal();
      return result;
    }
  }
}

bool RingPipe::MessageCameMeanwhile() {
  if (state_->receive_events == nullptr) return false;
  state_->parts.link->Pump();
  state_->receive_events->Quiet();
  state_->receiver.BeginSleep();
  return state_->receiver.HasNews() || HasEnded();
}

absl::StatusOr<std::optional<size_t>> RingPipe::TryReceive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors) {
  absl::StatusOr<std::optional<size_t>> received =
      ReceiveBy([&] { return state_->receiver.TryReceive(buffer, descriptors); });
  if (ABSL_PREDICT_TRUE(received.ok() && received->has_value())) receive_stats().CountMessage(**received);
  return received;
}

absl::StatusOr<size_t> RingPipe::TryReceiveBatch(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                                 std::vector<Fd>* descriptors) {
  size_t received = 0;
  // The first as any message, the others while they are there at once.
  while (received < messages.size() && (received == 0 || state_->receiver.HasRecord())) {
    const size_t descriptors_before = descriptors == nullptr ? 0 : descriptors->size();
    const absl::StatusOr<std::optional<size_t>> bytes =
        received == 0 ? TryReceive(buffer, descriptors) : state_->receiver.TryReceive(buffer, descriptors);
    if (!bytes.ok() && received == 0) return bytes.status();
    if (!bytes.ok() || !bytes->has_value()) break;
    if (received != 0) receive_stats().CountMessage(**bytes);
    messages[received++] = {.bytes = buffer.subspan(0, **bytes),
                            .descriptors = descriptors == nullptr ? 0 : descriptors->size() - descriptors_before};
    buffer.remove_prefix(**bytes);
  }
  return received;
}

absl::StatusOr<std::optional<Blob>> RingPipe::TryPeek(std::vector<Fd>* descriptors) {
  return ReceiveBy([&] { return state_->receiver.TryPeek(descriptors); });
}

absl::Status RingPipe::Release() {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  if (state_->closed.load(std::memory_order_acquire)) return EndStatus();  // Pairs with `Close`.
  SLUICE_ASSIGN_OR_RETURN(const size_t bytes, state_->receiver.ReleasePeeked());
  receive_stats().CountMessage(bytes);
  return absl::OkStatus();
}

absl::Status RingPipe::WaitToSend(Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  internal::RingSender& sender = state_->sender;
  Link& link = *state_->parts.link;
  if (sender.link_was_full()) {
    const absl::Status status = link.Wait(link.Ticket(), Earlier(deadline, internal::kInFlightTick));
    return deadline.HasPassed() ? status : absl::OkStatus();
  }
  // A wish makes the reader publish every record, which slows a stream down: it publishes every quarter ring by itself.
  sender.Wish(internal::RoomWish::kNone);
  if (state_->send_spinner.Spin(
          wait_mode(), Earlier(deadline, kPatience), [&] { return sender.HasAmpleRoom() || HasEnded(); }, [] {})) {
    send_stats().CountSpin();
    return absl::OkStatus();
  }
  sender.Wish(internal::RoomWish::kWanted);
  return WaitUntil(
      link, state_->send_spinner, send_stats(), wait_mode(), deadline, [&] { return sender.HasRoom() || HasEnded(); },
      [&] { sender.Wish(internal::RoomWish::kAsleep); }, [] {});
}

absl::Status RingPipe::WaitToReceive(Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  internal::RingReceiver& receiver = state_->receiver;
  // In an event loop it stays asleep to the peer, whose doorbell makes the waitable ready.
  const auto end_sleep = [&] {
    if (state_->receive_events == nullptr) receiver.EndSleep();
  };
  return WaitUntil(
      *state_->parts.link, state_->receive_spinner, receive_stats(), wait_mode(), deadline,
      [&] { return receiver.HasNews() || HasEnded(); }, [&] { receiver.BeginSleep(); }, end_sleep);
}

absl::StatusOr<Waitable> RingPipe::SendWaitable() {
  SLUICE_ASSIGN_OR_RETURN(const FdView fd, EventsOf(state_->send_events));
  return Waitable{.fd = fd, .events = POLLIN};
}

absl::StatusOr<Waitable> RingPipe::ReceiveWaitable() {
  SLUICE_ASSIGN_OR_RETURN(const FdView fd, EventsOf(state_->receive_events));
  return Waitable{.fd = fd, .events = POLLIN};
}

absl::StatusOr<std::optional<Waitable>> RingPipe::LoopWaitable() {
  if (state_->parts.owns_link) return ReceiveWaitable();
  return std::nullopt;
}

bool RingPipe::ArmReceiving() {
  if (fork_guard().InForkedChild()) return true;
  if (state_->parts.owns_link) return Pipe::ArmReceiving();
  internal::RingReceiver& receiver = state_->receiver;
  if (receiver.HasNews() || HasEnded()) return true;
  // Of a sleep the peer tells once: what it told of was received since, or nothing came.
  if (state_->armed_at == receiver.position() && receiver.IsAsleep()) return false;
  receiver.BeginSleep();
  state_->armed_at = receiver.position();
  return receiver.HasNews() || HasEnded();
}

absl::StatusOr<FdView> RingPipe::EventsOf(std::unique_ptr<internal::LinkEvents>& events) {
  if (events == nullptr) {
    SLUICE_ASSIGN_OR_RETURN(events, internal::LinkEvents::Create(state_->parts.link));
  }
  return events->fd();
}

uint64_t RingPipe::UnreadBytes() const { return state_->sender.UnreadBytes(); }

absl::Status RingPipe::FinishSending() {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  if (HasEnded()) return EndStatus();
  if (!state_->finished) state_->sender.Finish();
  state_->finished = true;
  return absl::OkStatus();
}

void RingPipe::Close() {
  if (state_->closed.exchange(true, std::memory_order_acq_rel)) return;  // Pairs with `HasEnded`.
  if (fork_guard().InForkedChild()) return;                              // The lanes are not even mapped there.
  state_->own.control.closed.store(1, std::memory_order_release);        // Pairs with RingReceiver::PeerHasClosed.
  Link& link = *state_->parts.link;
  if (state_->parts.owns_link) {
    link.End(absl::CancelledError("the pipe was closed on this side"));
  } else {
    link.RingDoorbell();
    link.Interrupt();
  }
}

}  // namespace sluice_0
}  // namespace ipc
