#include "ipc_shm/internal/session_arena.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<shm::Loan> SessionArena::Lend(const void* object, const ObjectDeleter* owner) {
  if (owner == nullptr || owner->arena() != arena_ || owner->entry().object() != object) {
    return absl::InvalidArgumentError("only an object that the session's arena constructed can be lent, as a whole");
  }
  SLUICE_ASSIGN_OR_RETURN(const shm::LoanRef ref, arena_->Lend(owner->entry()));
  return shm::Loan(arena_, ref);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
