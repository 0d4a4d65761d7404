#include "ipc_shm/internal/session_arena.h"

#include <utility>

#include "ipc_session/session.h"
#include "ipc_shm/internal/segment_store.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::Status SessionArena::CheckWhole(const void* object, const ObjectDeleter* owner) const {
  if (owner == nullptr || owner->entry().object() != object) {
    return absl::InvalidArgumentError("only an object that an arena constructed can be lent, as a whole");
  }
  return absl::OkStatus();
}

absl::StatusOr<shm::Loan> SessionArena::Lend(const ObjectDeleter& owner, std::shared_ptr<const void> object) {
  absl::StatusOr<shm::LoanRef> ref = owner.arena() == lending_arena()
                                         ? lending_arena()->Lend(owner.entry())
                                         : lending_arena()->LendFurther(owner.entry(), std::move(object));
  if (!ref.ok()) return ref.status();
  return shm::Loan(lending_arena(), *ref);
}

absl::Status SessionArena::Share(const StandaloneArena& arena) {
  return lending_arena()->Share(arena.lending, arena.for_peers);
}

SessionArena ArenaOf(const Session& session) {
  return SessionArena(static_cast<const SegmentStore&>(*session.message_store()).lending_arena());
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
