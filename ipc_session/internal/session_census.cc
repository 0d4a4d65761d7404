#include "ipc_session/internal/session_census.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

SessionCensus::Place::Place(Place&& other) noexcept
    : census_(std::exchange(other.census_, nullptr)), entry_(other.entry_) {}

SessionCensus::Place::~Place() {
  if (census_ != nullptr) census_->entries_.erase(entry_);
}

void SessionCensus::Place::Fill(const std::shared_ptr<const SessionCore>& session) && {
  entry_->session = session;
  census_ = nullptr;
}

absl::StatusOr<SessionCensus::Place> SessionCensus::Admit(uid_t uid) {
  if (!HasRoomFor(uid)) Prune();  // Asks the kernel about each session, so not before it is needed.
  if (HasRoomFor(uid)) return Place(this, entries_.insert(entries_.end(), {.uid = uid}));
  const absl::Status full = absl::ResourceExhaustedError(
      absl::StrCat("there are ", entries_.size(), " sessions (max_sessions ", limits_.total, "), ", CountOf(uid),
                   " of uid ", uid, " (max_sessions_per_uid ", limits_.per_uid, ")"));
  return WithReason(full, Reason::kLimit);
}

bool SessionCensus::HasRoomFor(uid_t uid) const {
  return entries_.size() < static_cast<size_t>(limits_.total) && CountOf(uid) < limits_.per_uid;
}

int SessionCensus::CountOf(uid_t uid) const {
  return static_cast<int>(
      std::count_if(entries_.begin(), entries_.end(), [uid](const Entry& entry) { return entry.uid == uid; }));
}

void SessionCensus::Prune() {
  entries_.remove_if([](const Entry& entry) {
    if (!entry.session.has_value()) return false;
    const std::shared_ptr<const SessionCore> session = entry.session->lock();
    return session == nullptr || !session->status().ok();
  });
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
