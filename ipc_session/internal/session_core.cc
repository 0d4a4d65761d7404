#include "ipc_session/internal/session_core.h"

#include <utility>

#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<std::shared_ptr<SessionCore>> SessionCore::Create(SessionParts parts) {
  SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<Link> link, Link::Create(std::move(parts.socket), std::move(parts.process),
                                                                   {.controls = Link::Controls::kAllowed,
                                                                    .keep_alive_period = parts.keep_alive_period,
                                                                    .idle_timeout = parts.idle_timeout}));
  return std::shared_ptr<SessionCore>(new SessionCore(std::move(parts), std::move(link)));
}

SessionCore::SessionCore(SessionParts parts, std::shared_ptr<Link> link)
    : link_(std::move(link)),
      channel_count_(static_cast<int>(parts.channels)),
      peer_(std::move(parts.peer)),
      peer_metadata_(std::move(parts.peer_metadata)),
      memory_(std::move(parts.memory)),
      channels_(SessionChannels::Create({.side = parts.side,
                                         .link = link_,
                                         .outboxes = parts.outboxes,
                                         .channels = parts.channels,
                                         .max_channels = parts.max_channels,
                                         .memory = memory_})),
      dispatcher_(link_, channels_) {
  const std::shared_ptr<const Outboxes>& outboxes = parts.outboxes;
  if (memory_ != nullptr) {
    message_store_ = memory_->Open({.own = outboxes->own.counters(),
                                    .peer = outboxes->peer.counters(),
                                    .mapping = outboxes,
                                    .own_retired = &outboxes->own.retired(),
                                    .peer_retired = &outboxes->peer.retired(),
                                    .own_wants_bell = &outboxes->own.wants_bell(),
                                    .peer_wants_bell = &outboxes->peer.wants_bell(),
                                    .ring_peer =
                                        [weak = std::weak_ptr<Link>(link_)] {
                                          // Loans outlive the session, and then there is nobody to ring.
                                          if (const std::shared_ptr<Link> link = weak.lock()) link->RingDoorbell();
                                        },
                                    .peer_process = link_->peer_process()},
                                   channels_);
  }
}

SessionCore::~SessionCore() { End(); }

absl::Status SessionCore::status() const { return channels_->Process(); }

absl::Status SessionCore::WaitForEnd(Deadline deadline) const {
  while (true) {
    const uint64_t ticket = link_->Ticket();
    if (absl::Status ended = status(); !ended.ok()) return ended;
    SLUICE_RETURN_IF_ERROR(link_->Wait(ticket, deadline));
  }
}

SessionReport SessionCore::Report(size_t max_channels) const {
  SessionReport report = {.peer = peer_, .has_ended = link_->ended()};
  if (memory_ != nullptr) report.memory = memory_->Usage();
  report.listed = channels_->Report();
  report.channels = static_cast<uint32_t>(report.listed.size());
  if (report.listed.size() > max_channels) report.listed.resize(max_channels);
  return report;
}

void SessionCore::End() {
  if (is_ended_here_.exchange(true, std::memory_order_relaxed)) return;
  os::Point("session.closing");
  channels_->CloseAll();
  link_->End(absl::CancelledError("the session was closed on this side"));
  os::Point("session.closed");
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
