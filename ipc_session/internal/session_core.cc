#include "ipc_session/internal/session_core.h"

#include <utility>

#include "ipc_transport/internal/ring_parts.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<std::shared_ptr<SessionCore>> SessionCore::Create(SessionParts parts) {
  SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<Link> link, Link::Create(std::move(parts.socket), std::move(parts.process)));
  return std::shared_ptr<SessionCore>(new SessionCore(std::move(parts), std::move(link)));
}

SessionCore::SessionCore(SessionParts parts, std::shared_ptr<Link> link)
    : link_(std::move(link)),
      channel_count_(static_cast<int>(parts.channels)),
      peer_(std::move(parts.peer)),
      peer_metadata_(std::move(parts.peer_metadata)),
      memory_(std::move(parts.memory)) {
  const std::shared_ptr<const Outboxes>& outboxes = parts.outboxes;
  MutexLock lock(mutex_);
  for (uint32_t i = 0; i < parts.channels; ++i) {
    channels_.push_back(RingPipe::FromParts({.link = link_,
                                             .channel = i,
                                             .own = outboxes->own.lane(i),
                                             .peer = outboxes->peer.lane(i),
                                             .mapping = outboxes}));
  }
  if (memory_ != nullptr) {
    message_store_ =
        memory_->Open({.own = outboxes->own.counters(), .peer = outboxes->peer.counters(), .mapping = outboxes});
  }
}

SessionCore::~SessionCore() { End(); }

std::unique_ptr<RingPipe> SessionCore::TakeChannel(int index) {
  MutexLock lock(mutex_);
  if (index < 0 || index >= channel_count_) return nullptr;
  return std::move(channels_[index]);
}

absl::Status SessionCore::status() const {
  link_->Pump();
  return link_->end_status();
}

absl::Status SessionCore::WaitForEnd(Deadline deadline) const {
  while (true) {
    const uint64_t ticket = link_->Ticket();
    if (absl::Status ended = status(); !ended.ok()) return ended;
    SLUICE_RETURN_IF_ERROR(link_->Wait(ticket, deadline));
  }
}

void SessionCore::End() { link_->End(absl::CancelledError("the session was closed on this side")); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
