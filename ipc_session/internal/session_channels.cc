#include "ipc_session/internal/session_channels.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_session/internal/limits.h"
#include "ipc_transport/counters.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/ring_parts.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Above those of the channels that a session starts with.
constexpr uint32_t kFirstLaterId = 65536;
static_assert(kMaxChannels < kFirstLaterId);

uint32_t FirstId(Side side) { return kFirstLaterId + (side == Side::kClient ? 0 : 1); }
Side Other(Side side) { return side == Side::kClient ? Side::kServer : Side::kClient; }

// A peer that lets so many answers wait does not read: a channel owes it three packets in its life.
constexpr size_t kMaxUnsent = 4 * kMaxChannels;

// How long whoever opens a channel looks for the answer before it sleeps.
constexpr absl::Duration kAnswerPatience = absl::Microseconds(100);

// What the opener may know of why its channel could not be accepted.
Refusal RefusalFor(const absl::Status& why) {
  if (absl::IsResourceExhausted(why)) return Refusal::AtALimit("the peer is at a limit");
  return {.code = why.code(), .reason = ReasonOf(why), .text = "the peer could not accept the channel"};
}

TrafficReport ReportOf(const DirectionCounters& counters) {
  return {.messages = counters.messages,
          .bytes = counters.bytes,
          .refused = counters.refused,
          .spins = counters.spins,
          .sleeps = counters.sleeps,
          .sizes = counters.sizes};
}

ChannelReport ReportOf(uint32_t id, PipeKind kind, const Pipe& pipe) {
  const PipeCounters counters = pipe.counters();
  return {.id = id,
          .pipe = kind,
          .sent = ReportOf(counters.sent),
          .received = ReportOf(counters.received),
          .unread_bytes = counters.unread_bytes};
}

}  // namespace

std::shared_ptr<SessionChannels> SessionChannels::Create(Parts parts) {
  std::shared_ptr<SessionChannels> channels(new SessionChannels(std::move(parts)));
  channels->MakeFirst();
  return channels;
}

SessionChannels::SessionChannels(Parts parts)
    : side_(parts.side),
      link_(std::move(parts.link)),
      outboxes_(std::move(parts.outboxes)),
      max_channels_(parts.max_channels),
      memory_(std::move(parts.memory)),
      first_count_(parts.channels),
      first_peer_id_(FirstId(Other(side_))),
      lanes_(outboxes_->own.layout()),
      next_own_id_(FirstId(side_)),
      next_peer_id_(first_peer_id_) {}

void SessionChannels::MakeFirst() {
  const MutexLock lock(mutex_);
  for (uint32_t i = 0; i < first_count_; ++i) {
    const std::optional<LanePlace> lane = lanes_.Take(outboxes_->own.layout().ring_bytes);
    live_[i].lane = lane;
    first_.push_back(HandOut(i, PipeKind::kRing, RingOf(i, *lane, outboxes_->peer.layout().first_lane(i))));
  }
}

Channel SessionChannels::TakeFirst(int index) {
  if (fork_guard_.InForkedChild()) return Channel();
  const MutexLock lock(mutex_);
  if (index < 0 || static_cast<size_t>(index) >= first_.size()) return Channel();
  return std::move(first_[index]);
}

// Opening.

absl::StatusOr<uint32_t> SessionChannels::StartOpening(const ChannelOptions& options) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  const MutexLock lock(mutex_);
  SLUICE_RETURN_IF_ERROR(ProcessLocked());
  SLUICE_RETURN_IF_ERROR(CheckRoomToOpen());
  OpenFrame frame = {.channel = next_own_id_, .pipe = options.pipe, .metadata = options.metadata};
  Opening opening = {.kind = options.pipe};
  Fd for_peer;
  if (options.pipe == PipeKind::kRing) {
    const uint64_t ring_bytes =
        options.sizes.ring_bytes == 0 ? outboxes_->own.layout().ring_bytes : options.sizes.ring_bytes;
    SLUICE_ASSIGN_OR_RETURN(frame.lane, TakeLane(ring_bytes));
    opening.lane = frame.lane;
  } else {
    SLUICE_ASSIGN_OR_RETURN(opening.pipe, PipeOpening::Begin(options.pipe, options.sizes));
    for_peer = opening.pipe->TakeForPeer();
  }
  openings_.emplace(frame.channel, std::move(opening));
  next_own_id_ += 2;
  Send(frame, std::move(for_peer));
  os::Point("session.channel.open_sent");
  return frame.channel;
}

absl::Status SessionChannels::CheckRoomToOpen() const {
  if (Count() >= max_channels_) {
    return absl::ResourceExhaustedError(absl::StrCat("the session has ", Count(), " channels, its limit is ",
                                                     max_channels_, "; raise SessionOptions::max_channels"));
  }
  if (openings_.size() >= kMaxUnanswered) {
    return absl::ResourceExhaustedError(absl::StrCat(openings_.size(), " channels are being opened already, ",
                                                     kMaxUnanswered, " may be; wait for an answer of the peer"));
  }
  if (next_own_id_ > std::numeric_limits<uint32_t>::max() - 2) {
    return absl::ResourceExhaustedError("the session has used up its numbers for channels; open another session");
  }
  return absl::OkStatus();
}

absl::StatusOr<LanePlace> SessionChannels::TakeLane(uint64_t ring_bytes) {
  const std::optional<LanePlace> lane = lanes_.Take(ring_bytes);
  if (!lane.has_value()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no room for a ring of ", ring_bytes, " bytes: ", lanes_.free_bytes(), " of the outbox's ",
                     outboxes_->own.layout().bytes, " are free; raise SessionOptions::outbox_bytes"));
  }
  outboxes_->own.RenewLane(*lane);
  return *lane;
}

absl::StatusOr<Channel> SessionChannels::FinishOpening(uint32_t id, Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  const auto has_answer = [this, id]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto opening = openings_.find(id);
    return opening == openings_.end() || opening->second.accept.has_value() || opening->second.refusal.has_value();
  };
  SLUICE_RETURN_IF_ERROR(
      WaitUntil(has_answer, deadline, OnlyProcessor() == 0 ? kAnswerPatience : absl::ZeroDuration()));
  std::optional<Opening> opening;
  {
    const MutexLock lock(mutex_);
    const auto found = openings_.find(id);
    if (found == openings_.end()) return absl::FailedPreconditionError("the opening is over");
    opening = std::move(found->second);
    openings_.erase(found);
    if (opening->refusal.has_value()) {
      if (opening->lane.has_value()) lanes_.GiveBack(*opening->lane);
      return opening->refusal->ToStatus();
    }
    Live& live = live_[id];
    live.lane = opening->lane;
    live.peer_end = opening->peer_end;
    if (opening->lane.has_value())
      return HandOut(id, PipeKind::kRing, RingOf(id, *opening->lane, opening->accept->lane));
  }
  absl::StatusOr<std::unique_ptr<Pipe>> pipe = FinishPipe(*std::move(opening->pipe), deadline);
  if (!pipe.ok()) {
    RetireHere(id, /*received=*/0);
    return pipe.status();
  }
  const MutexLock lock(mutex_);
  return HandOut(id, opening->kind, *std::move(pipe));
}

absl::StatusOr<std::unique_ptr<Pipe>> SessionChannels::FinishPipe(PipeOpening opening, Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(PidFd process, PidFd::OfPeer(link_->socket()));
  return std::move(opening).Finish(std::move(process), deadline);
}

void SessionChannels::Withdraw(uint32_t id) {
  if (fork_guard_.InForkedChild()) return;
  const MutexLock lock(mutex_);
  const auto found = openings_.find(id);
  if (found == openings_.end()) return;
  Opening& opening = found->second;
  opening.withdrawn = true;
  if (opening.accept.has_value() || opening.refusal.has_value()) {
    EndWithdrawn(id);
  } else {
    Send(WithdrawFrame{.channel = id});
  }
}

void SessionChannels::EndWithdrawn(uint32_t id) {
  const auto found = openings_.find(id);
  const Opening opening = std::move(found->second);
  openings_.erase(found);
  if (opening.refusal.has_value()) {
    if (opening.lane.has_value()) lanes_.GiveBack(*opening.lane);
    return;
  }
  // The peer has an end of it, and is told that this one is gone.
  if (opening.lane.has_value()) {
    // Pairs with RingReceiver::PeerHasClosed.
    OwnLane(outboxes_->own.lane(*opening.lane)).control.closed.store(1, std::memory_order_release);
    link_->RingDoorbell();
  }
  live_[id] = {
      .kind = opening.kind, .lane = opening.lane, .pipe = {}, .retired_here = true, .peer_end = opening.peer_end};
  Send(RetireFrame{.channel = id});
  ForgetIfRetired(id);
}

// Offers.

absl::StatusOr<SessionChannels::Offer> SessionChannels::NextOffer(Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  std::optional<Offer> offer;
  const auto pop = [this, &offer]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    offer = PopOffer();
    return offer.has_value();
  };
  SLUICE_RETURN_IF_ERROR(WaitUntil(pop, deadline));
  return *std::move(offer);
}

std::optional<SessionChannels::Offer> SessionChannels::TryNextOffer() {
  const MutexLock lock(mutex_);
  return PopOffer();
}

std::optional<SessionChannels::Offer> SessionChannels::PopOffer() {
  while (!new_offers_.empty()) {
    const auto found = offers_.find(new_offers_.front());
    new_offers_.pop_front();
    if (found == offers_.end()) continue;  // Withdrawn meanwhile.
    const OpenFrame& frame = found->second.frame;
    return Offer{.id = frame.channel, .pipe = frame.pipe, .metadata = frame.metadata};
  }
  return std::nullopt;
}

absl::StatusOr<Channel> SessionChannels::Accept(uint32_t id, const PipeSizes& sizes, Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  Offered offered;
  PipeKind kind;
  {
    const MutexLock lock(mutex_);
    SLUICE_RETURN_IF_ERROR(ProcessLocked());
    const auto found = offers_.find(id);
    if (found == offers_.end()) return absl::UnavailableError("the peer has withdrawn the channel that it offered");
    offered = std::move(found->second);
    offers_.erase(found);
    kind = offered.frame.pipe;
    if (kind == PipeKind::kRing) return AcceptRing(offered.frame, sizes);
  }
  absl::StatusOr<std::unique_ptr<Pipe>> pipe = AcceptPipe(std::move(offered), sizes, deadline);
  const MutexLock lock(mutex_);
  if (!pipe.ok()) {
    Send(RefuseFrame{.channel = id, .refusal = RefusalFor(pipe.status())});
    return pipe.status();
  }
  Channel channel = HandOut(id, kind, *std::move(pipe));
  Send(AcceptFrame{.channel = id});
  os::Point("session.channel.accept_sent");
  return channel;
}

absl::StatusOr<Channel> SessionChannels::AcceptRing(const OpenFrame& frame, const PipeSizes& sizes) {
  const absl::StatusOr<LanePlace> lane = TakeLane(sizes.ring_bytes == 0 ? frame.lane.ring_bytes : sizes.ring_bytes);
  if (!lane.ok()) {
    Send(RefuseFrame{.channel = frame.channel, .refusal = RefusalFor(lane.status())});
    return lane.status();
  }
  live_[frame.channel].lane = *lane;
  Channel channel = HandOut(frame.channel, PipeKind::kRing, RingOf(frame.channel, *lane, frame.lane));
  Send(AcceptFrame{.channel = frame.channel, .lane = *lane});
  os::Point("session.channel.accept_sent");
  return channel;
}

absl::StatusOr<std::unique_ptr<Pipe>> SessionChannels::AcceptPipe(Offered offered, const PipeSizes& sizes,
                                                                  Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(PidFd process, PidFd::OfPeer(link_->socket()));
  return PipeFromOffer(offered.frame.pipe, sizes, std::move(offered.descriptor), std::move(process), deadline);
}

void SessionChannels::Refuse(uint32_t id, absl::string_view why) {
  if (fork_guard_.InForkedChild()) return;
  const MutexLock lock(mutex_);
  if (offers_.erase(id) == 0) return;
  Send(RefuseFrame{.channel = id, .refusal = {.text = std::string(why)}});
}

template <typename Ready>
absl::Status SessionChannels::WaitUntil(Ready ready, Deadline deadline, absl::Duration patience) {
  const Deadline spin_until = Earlier(deadline, Deadline(patience));
  while (true) {
    const uint64_t ticket = link_->Ticket();
    bool has_unsent;
    {
      const MutexLock lock(mutex_);
      const absl::Status status = ProcessLocked();
      if (ready()) return absl::OkStatus();  // It came before the end, if there is one.
      SLUICE_RETURN_IF_ERROR(status);
      has_unsent = !unsent_.empty();
    }
    if (!spin_until.HasPassed()) continue;
    const absl::Status waited = link_->Wait(ticket, has_unsent ? Earlier(deadline, kInFlightTick) : deadline);
    if (!waited.ok() && (!absl::IsDeadlineExceeded(waited) || deadline.HasPassed())) return waited;
  }
}

void SessionChannels::Send(const ChannelFrame& frame, Fd descriptor) {
  const auto* const region = std::get_if<RegionFrame>(&frame);
  unsent_.push_back(
      {.bytes = Encode(frame), .descriptor = std::move(descriptor), .region = region == nullptr ? 0 : region->number});
  Flush();
}

void SessionChannels::Flush() {
  while (!unsent_.empty()) {
    const Unsent& first = unsent_.front();
    const FdView descriptor = first.descriptor;
    const absl::StatusOr<bool> sent =
        link_->SendControl(Blob(reinterpret_cast<const std::byte*>(first.bytes.data()), first.bytes.size()),
                           absl::MakeConstSpan(&descriptor, descriptor.valid() ? 1 : 0));
    if (sent.ok() && !*sent) break;
    unsent_.pop_front();  // On an error the session has ended, which others tell.
  }
  if (unsent_.size() > kMaxUnsent) link_->End(absl::DataLossError("the peer opens channels, but reads no answer"));
}

size_t SessionChannels::Count() const { return live_.size() + openings_.size() + offers_.size(); }

// The life of a channel.

std::unique_ptr<Pipe> SessionChannels::RingOf(uint32_t id, const LanePlace& own, const LanePlace& peer) const {
  return RingPipe::FromParts({.link = link_,
                              .channel = id,
                              .own = outboxes_->own.lane(own),
                              .peer = outboxes_->peer.lane(peer),
                              .mapping = outboxes_});
}

Channel SessionChannels::HandOut(uint32_t id, PipeKind kind, std::unique_ptr<Pipe> pipe) {
  const auto retire = [session = weak_from_this(), id](Pipe* destroyed) {
    const uint64_t received = destroyed->messages_received();
    delete destroyed;
    if (const std::shared_ptr<SessionChannels> self = session.lock()) self->RetireHere(id, received);
  };
  std::shared_ptr<Pipe> shared(pipe.release(), retire);
  Live& live = live_[id];
  live.kind = kind;
  live.pipe = shared;
  shared->set_peer_end(live.peer_end);
  return Channel(std::move(shared));
}

void SessionChannels::RetireHere(uint32_t id, uint64_t received) {
  if (fork_guard_.InForkedChild()) return;
  const MutexLock lock(mutex_);
  live_[id].retired_here = true;
  link_->DropDescriptors(id);
  Send(RetireFrame{.channel = id, .received = received});
  os::Point("session.channel.retire_sent");
  ForgetIfRetired(id);
}

void SessionChannels::ForgetIfRetired(uint32_t id) {
  const auto found = live_.find(id);
  const Live& live = found->second;
  if (!live.retired_here || !live.peer_end->has_ended()) return;
  link_->DropDescriptors(id);
  if (live.lane.has_value()) lanes_.GiveBack(*live.lane);
  live_.erase(found);
}

std::vector<ChannelReport> SessionChannels::Report() {
  if (fork_guard_.InForkedChild()) return {};
  std::vector<std::shared_ptr<Pipe>> pipes;  // Let go without the lock: the last one retires.
  std::vector<ChannelReport> reports;
  const MutexLock lock(mutex_);
  for (const auto& [id, live] : live_) {
    std::shared_ptr<Pipe> pipe = live.pipe.lock();
    if (pipe == nullptr) continue;
    reports.push_back(ReportOf(id, live.kind, *pipe));
    pipes.push_back(std::move(pipe));
  }
  return reports;
}

void SessionChannels::CloseAll() {
  if (fork_guard_.InForkedChild()) return;
  std::vector<std::shared_ptr<Pipe>> pipes;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, live] : live_) {
      if (live.lane.has_value()) continue;  // Ends with the link.
      if (std::shared_ptr<Pipe> pipe = live.pipe.lock()) pipes.push_back(std::move(pipe));
    }
  }
  for (const std::shared_ptr<Pipe>& pipe : pipes) pipe->Close();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
