#include "ipc_session/internal/session_registry.h"

#include <cstddef>
#include <utility>

#include "absl/time/clock.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

void SessionRegistry::Add(const std::shared_ptr<SessionCore>& session) {
  std::erase_if(entries_, [](const Entry& entry) { return entry.session.expired(); });
  entries_.push_back({.session = session, .opened_unix_nanos = absl::GetCurrentTimeNanos()});
}

ServerReport SessionRegistry::Report(const std::string& app, MemoryKind kind) const {
  ServerReport report = {.app = app, .kind = kind};
  size_t room = kMaxListedChannels;
  for (const Entry& entry : entries_) {
    const std::shared_ptr<SessionCore> session = entry.session.lock();
    if (session == nullptr) continue;
    ++report.sessions;
    if (report.listed.size() >= kMaxListedSessions) continue;
    SessionReport listed = session->Report(room);
    listed.opened_unix_nanos = entry.opened_unix_nanos;
    room -= listed.listed.size();
    report.listed.push_back(std::move(listed));
  }
  return report;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
