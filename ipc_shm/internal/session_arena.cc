#include "ipc_shm/internal/session_arena.h"

#include "ipc_session/session.h"
#include "ipc_shm/internal/segment_store.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::Status SessionArena::CheckWhole(const void* object, const ObjectDeleter* owner) const {
  if (owner != nullptr && owner->arena() == arena_ && owner->entry().object() == object) return absl::OkStatus();
  return absl::InvalidArgumentError("only an object that the session's arena constructed can be lent, as a whole");
}

absl::StatusOr<shm::Loan> SessionArena::Lend(const ObjectDeleter& owner) {
  SLUICE_ASSIGN_OR_RETURN(const shm::LoanRef ref, arena_->Lend(owner.entry()));
  return shm::Loan(arena_, ref);
}

SessionArena ArenaOf(const Session& session) {
  return SessionArena(static_cast<const SegmentStore&>(*session.message_store()).lending_arena());
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
