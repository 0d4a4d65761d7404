#include "ipc_transport/ring_pipe.h"

#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "absl/base/optimization.h"
#include "absl/time/time.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/ring_handshake.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_transport/internal/ring_parts.h"
#include "ipc_transport/internal/ring_receiver.h"
#include "ipc_transport/internal/ring_sender.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

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
absl::Status WaitUntil(Link& link, Spinner& spinner, WaitMode mode, Deadline deadline, Ready ready,
                       BeginSleep begin_sleep, EndSleep end_sleep) {
  if (ready()) return absl::OkStatus();
  if (spinner.Spin(mode, deadline, ready, [&] { link.Pump(); })) return absl::OkStatus();
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
  explicit State(internal::RingParts made_of)
      : parts(std::move(made_of)),
        own(parts.own),
        peer(parts.peer),
        sender(own, peer, *parts.link, parts.channel),
        receiver(own, peer, *parts.link, parts.channel) {}

  const internal::RingParts parts;
  const internal::OwnLane own;
  const internal::PeerLane peer;
  // Set by `Close`, which any thread may call. Release there, acquire in `HasEnded`.
  std::atomic<bool> closed{false};

  // The sending thread's.
  internal::RingSender sender;
  Spinner send_spinner;
  bool finished = false;

  // The receiving thread's.
  alignas(internal::kLinePairBytes) internal::RingReceiver receiver;
  Spinner receive_spinner;
  uint32_t polls = 0;
};

absl::StatusOr<std::pair<std::unique_ptr<RingPipe>, std::unique_ptr<RingPipe>>> RingPipe::CreatePair(
    const RingPipeOptions& options) {
  int sockets[2];
  if (internal::os::SocketPair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return FromErrno(errno, "make a pair of sockets");
  }
  Fd first_socket(sockets[0]);
  Fd second_socket(sockets[1]);
  SLUICE_ASSIGN_OR_RETURN(auto first, internal::RingHandshake::Create(std::move(first_socket), options.ring_bytes));
  SLUICE_ASSIGN_OR_RETURN(auto second, internal::RingHandshake::Create(std::move(second_socket), options.ring_bytes));
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
    return absl::CancelledError("the pipe was closed on this side");
  }
  if (state_->receiver.PeerHasClosed()) {
    return WithReason(absl::UnavailableError("the peer has closed the pipe"), Reason::kGoodbye);
  }
  return state_->parts.link->end_status();
}

absl::StatusOr<bool> RingPipe::TrySendParts(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors) {
  size_t bytes = 0;
  for (const Blob& part : parts) bytes += part.size();
  SLUICE_RETURN_IF_ERROR(internal::CheckMessageLimits(bytes, max_message_bytes(), descriptors.size()));
  if (HasEnded()) return EndStatus();
  if (state_->finished) return absl::FailedPreconditionError("this side has finished sending");
  const absl::StatusOr<bool> sent = state_->sender.TrySend(parts, bytes, descriptors);
  if (ABSL_PREDICT_TRUE(sent.ok() && *sent)) return true;
  state_->parts.link->Pump();
  // A call that the peer's end made fail reports the end; a bad argument stays one.
  if (HasEnded() && !absl::IsInvalidArgument(sent.status())) return EndStatus();
  return sent;
}

absl::StatusOr<std::optional<size_t>> RingPipe::TryReceive(absl::Span<std::byte> buffer, std::vector<Fd>* descriptors) {
  if (state_->closed.load(std::memory_order_acquire)) return EndStatus();  // Pairs with `Close`.
  if (ABSL_PREDICT_TRUE(state_->receiver.HasRecord())) return state_->receiver.TryReceive(buffer, descriptors);
  if (++state_->polls % kPollsPerPump == 0) state_->parts.link->Pump();
  const bool ended = HasEnded();
  // What was committed before the end is visible by now: data first.
  absl::StatusOr<std::optional<size_t>> received = state_->receiver.TryReceive(buffer, descriptors);
  if (ended && received.ok() && !received->has_value()) return EndStatus();
  return received;
}

absl::Status RingPipe::WaitToSend(Deadline deadline) {
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
    return absl::OkStatus();
  }
  sender.Wish(internal::RoomWish::kWanted);
  return WaitUntil(
      link, state_->send_spinner, wait_mode(), deadline, [&] { return sender.HasRoom() || HasEnded(); },
      [&] { sender.Wish(internal::RoomWish::kAsleep); }, [] {});
}

absl::Status RingPipe::WaitToReceive(Deadline deadline) {
  internal::RingReceiver& receiver = state_->receiver;
  return WaitUntil(
      *state_->parts.link, state_->receive_spinner, wait_mode(), deadline,
      [&] { return receiver.HasNews() || HasEnded(); }, [&] { receiver.BeginSleep(); }, [&] { receiver.EndSleep(); });
}

absl::Status RingPipe::FinishSending() {
  if (HasEnded()) return EndStatus();
  if (!state_->finished) state_->sender.Finish();
  state_->finished = true;
  return absl::OkStatus();
}

void RingPipe::Close() {
  if (state_->closed.exchange(true, std::memory_order_acq_rel)) return;  // Pairs with `HasEnded`.
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
