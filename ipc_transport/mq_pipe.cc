#include "ipc_transport/mq_pipe.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/link_events.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_transport/internal/mq_handshake.h"
#include "ipc_transport/internal/mq_queue.h"
#include "ipc_transport/internal/mq_receiver.h"
#include "ipc_transport/internal/mq_record.h"
#include "ipc_transport/internal/mq_sender.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

namespace os = internal::os;
using internal::Link;
using internal::MqHandshake;
using internal::MqParts;
using internal::MqShape;

// The largest payload of a queue.
size_t PayloadOf(const MqShape& shape) { return shape.message_bytes - sizeof(internal::MqRecordHeader); }

absl::StatusOr<MqShape> ShapeFor(const MqPipeOptions& options) {
  constexpr size_t kMaxBytes = internal::kMaxMqMessageBytes - sizeof(internal::MqRecordHeader);
  constexpr size_t kMaxDepth = internal::kMaxMqMessages - 1;
  if (options.max_message_bytes < 1 || options.max_message_bytes > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_message_bytes is ", options.max_message_bytes, "; give 1 to ", kMaxBytes));
  }
  if (options.depth < 1 || options.depth > kMaxDepth) {
    return absl::InvalidArgumentError(absl::StrCat("depth is ", options.depth, "; give 1 to ", kMaxDepth));
  }
  return MqShape{.message_bytes = options.max_message_bytes + sizeof(internal::MqRecordHeader),
                 .messages = options.depth + 1};
}

}  // namespace

struct MqPipe::State {
  State(MqParts parts, internal::MqSender its_sender, size_t max_payload)
      : link(std::move(parts.link)),
        sender(std::move(its_sender)),
        receiver(std::move(parts.peer), parts.peer_shape, max_payload, link) {}

  const std::shared_ptr<Link> link;

  // The sending thread's.
  internal::MqSender sender;
  internal::Spinner send_spinner;
  bool sends_in_event_loop = false;

  // The receiving thread's.
  internal::MqReceiver receiver;
  internal::Spinner receive_spinner;
  std::unique_ptr<internal::LinkEvents> receive_events;  // In an event loop only.
};

absl::StatusOr<std::pair<std::unique_ptr<MqPipe>, std::unique_ptr<MqPipe>>> MqPipe::CreatePair(
    const MqPipeOptions& options) {
  SLUICE_ASSIGN_OR_RETURN(const MqShape shape, ShapeFor(options));
  SLUICE_ASSIGN_OR_RETURN(auto sockets, internal::MakePairOfSockets());
  SLUICE_ASSIGN_OR_RETURN(auto first, MqHandshake::Create(std::move(sockets.first), shape));
  SLUICE_ASSIGN_OR_RETURN(auto second, MqHandshake::Create(std::move(sockets.second), shape));
  SLUICE_RETURN_IF_ERROR(first.Send(Deadline::Default()));
  SLUICE_RETURN_IF_ERROR(second.Send(Deadline::Default()));
  SLUICE_ASSIGN_OR_RETURN(MqParts first_parts, std::move(first).Receive(Deadline::Passed()));
  SLUICE_ASSIGN_OR_RETURN(MqParts second_parts, std::move(second).Receive(Deadline::Passed()));
  SLUICE_ASSIGN_OR_RETURN(auto first_pipe, FromParts(std::move(first_parts)));
  SLUICE_ASSIGN_OR_RETURN(auto second_pipe, FromParts(std::move(second_parts)));
  return std::make_pair(std::move(first_pipe), std::move(second_pipe));
}

absl::StatusOr<std::unique_ptr<MqPipe>> MqPipe::FromSocket(Fd socket, const MqPipeOptions& options, Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(MqHandshake handshake, BeginHandshake(std::move(socket), options));
  SLUICE_RETURN_IF_ERROR(handshake.Send(deadline));
  SLUICE_ASSIGN_OR_RETURN(MqParts parts, std::move(handshake).Receive(deadline));
  return FromParts(std::move(parts));
}

absl::StatusOr<MqHandshake> MqPipe::BeginHandshake(Fd socket, const MqPipeOptions& options) {
  SLUICE_ASSIGN_OR_RETURN(const MqShape shape, ShapeFor(options));
  return MqHandshake::Create(std::move(socket), shape);
}

absl::Status MqPipe::Check(const MqPipeOptions& options) { return ShapeFor(options).status(); }

absl::StatusOr<std::unique_ptr<MqPipe>> MqPipe::FromParts(MqParts parts) {
  const size_t max_payload = std::min(PayloadOf(parts.own_shape), PayloadOf(parts.peer_shape));
  SLUICE_ASSIGN_OR_RETURN(auto sender, internal::MqSender::Create(std::move(parts.own), parts.own_shape, parts.link));
  return std::unique_ptr<MqPipe>(
      new MqPipe(std::make_unique<State>(std::move(parts), std::move(sender), max_payload), max_payload));
}

MqPipe::MqPipe(std::unique_ptr<State> state, size_t max_message_bytes)
    : BufferedPipe(max_message_bytes, internal::kMaxDescriptors), state_(std::move(state)) {}

MqPipe::~MqPipe() { Close(); }

absl::StatusOr<bool> MqPipe::SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                         absl::Span<const FdView> descriptors) {
  Link& link = *state_->link;
  if (link.ended()) return link.end_status();
  while (true) {
    const absl::StatusOr<bool> sent = state_->sender.TrySend(parts, bytes, descriptors);
    if (sent.ok() && *sent) return true;
    link.Pump();
    // A call that the peer's end made fail reports the end; a bad argument stays one.
    if (link.ended() && !absl::IsInvalidArgument(sent.status())) return link.end_status();
    if (!sent.ok() || !RoomCameMeanwhile()) return sent;
  }
}

bool MqPipe::RoomCameMeanwhile() {
  if (!state_->sends_in_event_loop) return false;
  state_->sender.Quiet();
  if (state_->sender.link_was_full()) {
    state_->sender.Signal();  // Nothing else will tell.
    return false;
  }
  return state_->sender.HasRoom() || state_->link->ended();
}

absl::StatusOr<std::optional<size_t>> MqPipe::ReceiveMessage(absl::Span<std::byte> buffer,
                                                             absl::Span<std::byte> overflow,
                                                             std::vector<Fd>* descriptors) {
  Link& link = *state_->link;
  while (true) {
    // What was sent before the end is in the queue by now: data first.
    const bool ended = link.ended();
    const absl::StatusOr<std::optional<size_t>> received = state_->receiver.TryReceive(buffer, overflow, descriptors);
    if (!received.ok() || received->has_value()) return received;
    if (ended) return link.end_status();
    link.Pump();
    if (state_->receive_events != nullptr) state_->receive_events->Quiet();
    if (!link.ended()) return std::nullopt;
  }
}

absl::Status MqPipe::WaitForRoom(Deadline deadline) {
  Link& link = *state_->link;
  internal::MqSender& sender = state_->sender;
  if (sender.link_was_full()) {
    const absl::Status status = link.Wait(link.Ticket(), Earlier(deadline, internal::kInFlightTick));
    return deadline.HasPassed() ? status : absl::OkStatus();
  }
  const auto is_ready = [&] { return sender.HasRoom() || link.ended(); };
  if (is_ready()) return absl::OkStatus();
  if (state_->send_spinner.Spin(wait_mode(), deadline, is_ready, [&] { link.Pump(); })) {
    send_stats().CountSpin();
    return absl::OkStatus();
  }
  send_stats().CountSleep();
  while (true) {
    sender.Quiet();
    link.Pump();
    if (is_ready()) return absl::OkStatus();
    if (deadline.HasPassed()) return internal::NothingCame();
    pollfd poll = {.fd = sender.events().get(), .events = POLLIN, .revents = 0};
    timespec storage;
    os::Poll(&poll, 1, deadline.ToPollTimeout(&storage));
  }
}

absl::Status MqPipe::WaitForMessage(Deadline deadline) {
  const Link& link = *state_->link;
  if (link.ended()) return absl::OkStatus();
  std::array<pollfd, 3> fds = {{{.fd = state_->receiver.queue().get(), .events = POLLIN, .revents = 0},
                                {.fd = link.socket().get(), .events = POLLIN, .revents = 0},
                                {.fd = link.peer_fd().get(), .events = POLLIN, .revents = 0}}};
  int ready = 0;
  const auto is_ready = [&] {
    const timespec now = {};
    ready = os::Poll(fds.data(), fds.size(), &now);
    return ready != 0;
  };
  if (state_->receive_spinner.Spin(wait_mode(), deadline, is_ready, [] {})) {
    receive_stats().CountSpin();
  } else {
    receive_stats().CountSleep();
    timespec storage;
    ready = os::Poll(fds.data(), fds.size(), deadline.ToPollTimeout(&storage));
  }
  // What came over the socket is worth an attempt too: it may be the end. So is an interrupted wait.
  if (ready > 0 || is_closed() || !deadline.HasPassed()) return absl::OkStatus();
  return internal::NothingCame();
}

absl::StatusOr<Waitable> MqPipe::SendWaitable() {
  if (!state_->sends_in_event_loop) state_->sender.Signal();
  state_->sends_in_event_loop = true;
  return Waitable{.fd = state_->sender.events(), .events = POLLIN};
}

absl::StatusOr<Waitable> MqPipe::ReceiveWaitable() {
  if (state_->receive_events == nullptr) {
    SLUICE_ASSIGN_OR_RETURN(state_->receive_events,
                            internal::LinkEvents::Create(state_->link, state_->receiver.queue()));
  }
  return Waitable{.fd = state_->receive_events->fd(), .events = POLLIN};
}

absl::Status MqPipe::SendFinish() {
  if (state_->link->ended()) return state_->link->end_status();
  return state_->sender.Finish();
}

void MqPipe::Shut() { state_->link->End(internal::ClosedHere()); }

}  // namespace sluice_0
}  // namespace ipc
