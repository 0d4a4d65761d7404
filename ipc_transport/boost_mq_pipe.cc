#include "ipc_transport/boost_mq_pipe.h"

#include <poll.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "ipc_transport/boost_mq_pipe_queue.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/direction_stats.h"
#include "ipc_transport/internal/hello.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/link_events.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_transport/internal/mq_name_exchange.h"
#include "ipc_transport/internal/mq_record.h"
#include "ipc_transport/internal/mq_record_stream.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using internal::BoostQueue;
using internal::Link;
using SharedQueue = std::shared_ptr<BoostQueue>;

absl::StatusOr<SharedQueue> MakeQueue(const BoostMqPipeOptions& options) {
  constexpr size_t kMaxBytes = size_t{1} << 20;
  constexpr size_t kMaxDepth = 1024;
  if (options.max_message_bytes < 1 || options.max_message_bytes > kMaxBytes || options.depth < 1 ||
      options.depth > kMaxDepth) {
    return absl::InvalidArgumentError(absl::StrCat("max_message_bytes is ", options.max_message_bytes, ", give 1 to ",
                                                   kMaxBytes, "; depth is ", options.depth, ", give 1 to ", kMaxDepth));
  }
  return BoostQueue::Create(options.max_message_bytes + sizeof(internal::MqRecordHeader), options.depth + 1);
}

size_t PayloadOf(const BoostQueue& queue) { return queue.message_bytes() - sizeof(internal::MqRecordHeader); }

}  // namespace

struct BoostMqPipe::State {
  State(std::shared_ptr<Link> its_link, SharedQueue its_out, SharedQueue its_in, size_t its_max_payload)
      : link(std::move(its_link)),
        max_payload(its_max_payload),
        out(std::move(its_out)),
        writer(link, out->message_bytes()),
        in(std::move(its_in)),
        record(in->message_bytes()),
        reader(link, max_payload) {}

  // The doorbells are rung for those who may have found the queue empty, or full; the last place is the finish's.
  bool CanSend() const {
    const absl::StatusOr<size_t> count = out->Count();
    return link->ended() || !count.ok() || *count + 1 < out->messages();
  }
  absl::Status Put(Blob message) {
    SLUICE_ASSIGN_OR_RETURN(const bool sent, out->TrySend(message));
    if (!sent) return absl::DataLossError("somebody else has filled this side's queue");
    SLUICE_ASSIGN_OR_RETURN(const size_t count, out->Count());
    if (count <= 1) link->RingDoorbell();
    return absl::OkStatus();
  }
  bool CanReceive() const {
    const absl::StatusOr<size_t> count = in->Count();
    return link->ended() || !count.ok() || *count > 0;
  }
  absl::StatusOr<std::optional<Blob>> Take() {
    SLUICE_ASSIGN_OR_RETURN(const std::optional<size_t> bytes, in->TryReceive(absl::MakeSpan(record)));
    if (!bytes.has_value()) return std::nullopt;
    SLUICE_ASSIGN_OR_RETURN(const size_t count, in->Count());
    if (count + 2 >= in->messages()) link->RingDoorbell();
    return Blob(record).subspan(0, *bytes);
  }

  // Ends the link because of `status`, unless it has ended before; returns why it did.
  absl::Status End(const absl::Status& status) {
    link->Pump();
    link->End(status);
    return link->end_status();
  }

  // In an event loop a refused call looks once more, so that whatever comes from here on makes the waitable ready.
  template <typename Ready>
  static bool CameMeanwhile(internal::LinkEvents* events, Ready ready) {
    if (events == nullptr) return false;
    events->Quiet();
    return ready();
  }

  absl::StatusOr<Waitable> WaitableOf(std::unique_ptr<internal::LinkEvents>& events) const {
    if (events == nullptr) {
      SLUICE_ASSIGN_OR_RETURN(events, internal::LinkEvents::Create(link));
    }
    return Waitable{.fd = events->fd(), .events = POLLIN};
  }

  template <typename Ready>
  absl::Status WaitUntil(internal::Spinner& spinner, internal::DirectionStats& stats, WaitMode mode, Deadline deadline,
                         Ready ready) {
    if (spinner.Spin(mode, deadline, ready, [&] { link->Pump(); })) {
      stats.CountSpin();
      return absl::OkStatus();
    }
    stats.CountSleep();
    while (true) {
      const uint64_t ticket = link->Ticket();
      if (ready()) return absl::OkStatus();  // A doorbell for what comes from here on changes the ticket.
      SLUICE_RETURN_IF_ERROR(link->Wait(ticket, deadline));
    }
  }

  const std::shared_ptr<Link> link;
  const size_t max_payload;

  // The sending thread's.
  const SharedQueue out;
  internal::MqRecordWriter writer;
  internal::Spinner send_spinner;
  bool link_was_full = false;                         // For the descriptors of what was refused last.
  std::unique_ptr<internal::LinkEvents> send_events;  // In an event loop only.

  // The receiving thread's.
  const SharedQueue in;
  std::vector<std::byte> record;  // A queue gives a message into no less.
  internal::MqRecordReader reader;
  internal::Spinner receive_spinner;
  std::unique_ptr<internal::LinkEvents> receive_events;  // In an event loop only.
};

absl::StatusOr<std::pair<std::unique_ptr<BoostMqPipe>, std::unique_ptr<BoostMqPipe>>> BoostMqPipe::CreatePair(
    const BoostMqPipeOptions& options) {
  SLUICE_ASSIGN_OR_RETURN(const SharedQueue there, MakeQueue(options));
  SLUICE_ASSIGN_OR_RETURN(const SharedQueue back, MakeQueue(options));
  there->RemoveName();
  back->RemoveName();
  SLUICE_ASSIGN_OR_RETURN(auto sockets, internal::MakePairOfSockets());
  SLUICE_ASSIGN_OR_RETURN(auto first, FromQueues(std::move(sockets.first), there, back));
  SLUICE_ASSIGN_OR_RETURN(auto second, FromQueues(std::move(sockets.second), back, there));
  return std::make_pair(std::move(first), std::move(second));
}

absl::StatusOr<std::unique_ptr<BoostMqPipe>> BoostMqPipe::FromSocket(Fd socket, const BoostMqPipeOptions& options,
                                                                     Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(internal::CheckCompanion(socket));
  SLUICE_ASSIGN_OR_RETURN(const SharedQueue own, MakeQueue(options));
  SLUICE_ASSIGN_OR_RETURN(const std::string name, internal::ExchangeMqNames(socket, own->name(), deadline));
  SLUICE_ASSIGN_OR_RETURN(const SharedQueue peer, BoostQueue::Open(name));
  SLUICE_RETURN_IF_ERROR(internal::ExchangeMqOpened(socket, deadline));
  own->RemoveName();
  return FromQueues(std::move(socket), own, peer);
}

absl::StatusOr<std::unique_ptr<BoostMqPipe>> BoostMqPipe::FromQueues(Fd socket, SharedQueue out, SharedQueue in) {
  if (in->messages() < 2 || in->message_bytes() <= sizeof(internal::MqRecordHeader)) {
    return absl::DataLossError("the peer's queue has no room for a message");
  }
  SLUICE_ASSIGN_OR_RETURN(PidFd process, internal::WatchPeer(socket));
  SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<Link> link, Link::Create(std::move(socket), std::move(process)));
  const size_t max_payload = std::min(PayloadOf(*out), PayloadOf(*in));
  return std::unique_ptr<BoostMqPipe>(
      new BoostMqPipe(std::make_unique<State>(std::move(link), std::move(out), std::move(in), max_payload)));
}

BoostMqPipe::BoostMqPipe(std::unique_ptr<State> state)
    : BufferedPipe(state->max_payload, internal::kMaxDescriptors), state_(std::move(state)) {}

BoostMqPipe::~BoostMqPipe() { Close(); }

absl::StatusOr<bool> BoostMqPipe::SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                              absl::Span<const FdView> descriptors) {
  Link& link = *state_->link;
  while (!link.ended()) {
    state_->link_was_full = false;
    if (state_->CanSend()) {
      SLUICE_ASSIGN_OR_RETURN(const bool ready, state_->writer.SendDescriptors(descriptors));
      if (ready) {
        const absl::Status put = state_->Put(state_->writer.Assemble(parts, bytes, descriptors.size()));
        if (!put.ok()) return state_->End(put);
        return true;
      }
      state_->link_was_full = true;
    }
    link.Pump();
    if (link.ended()) break;
    if (state_->link_was_full) return false;
    if (!State::CameMeanwhile(state_->send_events.get(), [&] { return state_->CanSend(); })) return false;
  }
  return link.end_status();
}

absl::StatusOr<std::optional<size_t>> BoostMqPipe::ReceiveMessage(absl::Span<std::byte> buffer,
                                                                  absl::Span<std::byte> overflow,
                                                                  std::vector<Fd>* descriptors) {
  Link& link = *state_->link;
  while (true) {
    // What was sent before the end is in the queue by now: data first.
    const bool ended = link.ended();
    const absl::StatusOr<std::optional<Blob>> record = state_->Take();
    if (!record.ok()) return state_->End(record.status());
    if (record->has_value()) return state_->reader.Deliver(**record, buffer, overflow, descriptors);
    if (ended) return link.end_status();
    link.Pump();
    if (!link.ended() && !State::CameMeanwhile(state_->receive_events.get(), [&] { return state_->CanReceive(); })) {
      return std::nullopt;
    }
  }
}

absl::Status BoostMqPipe::WaitForRoom(Deadline deadline) {
  if (state_->link_was_full) {
    Link& link = *state_->link;
    const absl::Status status = link.Wait(link.Ticket(), Earlier(deadline, internal::kInFlightTick));
    return deadline.HasPassed() ? status : absl::OkStatus();
  }
  return state_->WaitUntil(state_->send_spinner, send_stats(), wait_mode(), deadline,
                           [&] { return state_->CanSend(); });
}

absl::Status BoostMqPipe::WaitForMessage(Deadline deadline) {
  return state_->WaitUntil(state_->receive_spinner, receive_stats(), wait_mode(), deadline,
                           [&] { return state_->CanReceive(); });
}

absl::StatusOr<Waitable> BoostMqPipe::SendWaitable() { return state_->WaitableOf(state_->send_events); }

absl::StatusOr<Waitable> BoostMqPipe::ReceiveWaitable() { return state_->WaitableOf(state_->receive_events); }

absl::Status BoostMqPipe::SendFinish() {
  if (state_->link->ended()) return state_->link->end_status();
  const absl::Status put = state_->Put(state_->writer.AssembleFinish());
  return put.ok() ? put : state_->End(put);
}

void BoostMqPipe::Shut() { state_->link->End(internal::ClosedHere()); }

}  // namespace sluice_0
}  // namespace ipc
