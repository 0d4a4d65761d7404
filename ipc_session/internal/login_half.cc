#include "ipc_session/internal/login_half.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

namespace {

OutboxLayout LayoutFor(const SessionOptions& options) {
  return OutboxLayout::For(options.outbox_bytes, options.ring_bytes, static_cast<uint64_t>(options.channels));
}

absl::Status WrongLimits(absl::string_view text) {
  return WithReason(absl::FailedPreconditionError(text), Reason::kWrongLimits);
}

uint32_t Milliseconds(absl::Duration period) { return static_cast<uint32_t>(absl::ToInt64Milliseconds(period)); }

}  // namespace

MemoryKind KindOf(const SessionMemoryFactory* factory) {
  return factory == nullptr ? MemoryKind::kHeap : factory->kind();
}

absl::StatusOr<LoginHalf> LoginHalf::Create(Side side, absl::string_view client_app, const SessionOptions& options,
                                            const SessionMemoryFactory* factory) {
  std::shared_ptr<SessionMemory> memory;
  if (factory != nullptr) {
    SLUICE_ASSIGN_OR_RETURN(memory, factory->Create({.side = side,
                                                     .arena_bytes = options.arena_bytes,
                                                     .arena_pages = options.arena_pages,
                                                     .client_app = std::string(client_app),
                                                     .arena_decay = options.arena_decay}));
  }
  SLUICE_ASSIGN_OR_RETURN(OwnOutbox outbox, OwnOutbox::Create(LayoutFor(options)));
  SLUICE_ASSIGN_OR_RETURN(Fd outbox_for_peer, outbox.OpenReadOnly());
  // The milliseconds that travel, on both sides.
  const Own own = {.side = side,
                   .kind = KindOf(factory),
                   .max_channels = static_cast<uint32_t>(options.max_channels),
                   .keep_alive_period = absl::Floor(options.keep_alive_period, absl::Milliseconds(1)),
                   .idle_timeout = absl::Floor(options.idle_timeout, absl::Milliseconds(1))};
  return LoginHalf(own, std::move(outbox), std::move(outbox_for_peer), std::move(memory));
}

LoginHalf::LoginHalf(const Own& own, OwnOutbox outbox, Fd outbox_for_peer, std::shared_ptr<SessionMemory> memory)
    : this_side_(own), own_(std::move(outbox)), own_for_peer_(std::move(outbox_for_peer)), memory_(std::move(memory)) {}

absl::StatusOr<LoginHalf::Outgoing> LoginHalf::Offer(const SessionOptions& options) {
  Outgoing outgoing = {.terms = {.kind = this_side_.kind,
                                 .channels = static_cast<uint32_t>(options.channels),
                                 .keep_alive_milliseconds = Milliseconds(this_side_.keep_alive_period),
                                 .idle_timeout_milliseconds = Milliseconds(this_side_.idle_timeout),
                                 .outbox = own_.layout(),
                                 .metadata = options.metadata},
                       .descriptors = {own_for_peer_}};
  if (memory_ == nullptr) return outgoing;
  SLUICE_ASSIGN_OR_RETURN(MemoryOffer memory, memory_->Offer());
  if (memory.regions.size() > SessionMemory::kMaxRegions || memory.places.size() > SessionMemory::kMaxPlaces) {
    return absl::InternalError(absl::StrCat("the session's memory offers ", memory.regions.size(), " regions and ",
                                            memory.places.size(), " places; at most ", SessionMemory::kMaxRegions,
                                            " and ", SessionMemory::kMaxPlaces, " travel"));
  }
  outgoing.terms.places = std::move(memory.places);
  for (const OfferedRegion& region : memory.regions) {
    outgoing.terms.region_bytes.push_back(region.bytes);
    outgoing.descriptors.push_back(region.fd);
  }
  return outgoing;
}

absl::Status LoginHalf::Adopt(SideTerms terms, std::vector<Fd> descriptors) {
  if (descriptors.size() != terms.descriptors()) {
    return absl::DataLossError(
        absl::StrCat("the peer sent ", descriptors.size(), " descriptors, where ", terms.descriptors(), " are due"));
  }
  SLUICE_ASSIGN_OR_RETURN(peer_, PeerOutbox::Map(std::move(descriptors[0]), terms.outbox));
  peer_metadata_ = std::move(terms.metadata);
  peer_keep_alive_period_ = absl::Milliseconds(terms.keep_alive_milliseconds);
  peer_idle_timeout_ = absl::Milliseconds(terms.idle_timeout_milliseconds);
  ReceivedMemory memory = {.places = std::move(terms.places)};
  for (size_t i = 0; i < terms.region_bytes.size(); ++i) {
    memory.regions.push_back({.fd = std::move(descriptors[1 + i]), .bytes = terms.region_bytes[i]});
  }
  if (memory_ != nullptr) return memory_->Adopt(std::move(memory));
  if (!memory.regions.empty()) return absl::DataLossError("the peer sent regions into a session without shared memory");
  return absl::OkStatus();
}

absl::Status LoginHalf::AgreeOn(uint32_t channels) {
  if (channels > this_side_.max_channels) {
    return WrongLimits(
        absl::StrCat("one side wants ", channels, " channels, the other's max_channels is ", this_side_.max_channels));
  }
  for (const OutboxLayout* const layout : {&own_.layout(), &peer_->layout()}) {
    if (channels <= layout->capacity()) continue;
    return WrongLimits(absl::StrCat("one side wants ", channels, " channels, the other's outbox_bytes have room for ",
                                    layout->capacity()));
  }
  SLUICE_RETURN_IF_ERROR(AgreeOnKeepAlive());
  channels_ = channels;
  own_.InitLanes(channels);
  return absl::OkStatus();
}

absl::Status LoginHalf::AgreeOnKeepAlive() const {
  for (const auto& [idle_timeout, period] : {std::pair(this_side_.idle_timeout, peer_keep_alive_period_),
                                             std::pair(peer_idle_timeout_, this_side_.keep_alive_period)}) {
    if (idle_timeout == absl::ZeroDuration()) continue;
    if (period != absl::ZeroDuration() && period < idle_timeout) continue;
    return WrongLimits(absl::StrCat("one side's idle_timeout is ", absl::FormatDuration(idle_timeout),
                                    ", the other's keep_alive_period is ", absl::FormatDuration(period),
                                    "; it must be shorter"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<SessionCore>> LoginHalf::Open(Fd socket, PidFd process, SessionPeer peer) && {
  return SessionCore::Create({
      .side = this_side_.side,
      .socket = std::move(socket),
      .process = std::move(process),
      .outboxes = std::make_shared<const Outboxes>(Outboxes{.own = std::move(own_), .peer = *std::move(peer_)}),
      .channels = channels_,
      .max_channels = this_side_.max_channels,
      .keep_alive_period = this_side_.keep_alive_period,
      .idle_timeout = this_side_.idle_timeout,
      .memory = std::move(memory_),
      .peer = std::move(peer),
      .peer_metadata = std::move(peer_metadata_),
  });
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
