// Where containers in shared memory are made that were told of no arena.

#ifndef SLUICE_IPC_SHM_ARENA_SCOPE_H_
#define SLUICE_IPC_SHM_ARENA_SCOPE_H_

#include "ipc_shm/internal/arena_access.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm {

class Arena;

// As long as it lives, containers that this thread makes or copies lie in `arena`, which outlives it:
//
//   ArenaScope scope(session->arena());
//   vector<string> names = {"a name that is too long to lie in the string itself"};
//
// Scopes nest: the innermost counts, and each ends where it began, in its thread. In an arena whose region has no equal
// address in both processes, containers throw NoArena. What was made under a scope keeps its arena afterwards.
class [[nodiscard]] ArenaScope {
 public:
  explicit ArenaScope(const Arena& arena) : scope_(internal::HeaderOf(arena)) {}
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  const internal::HeaderScope scope_;
};

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_ARENA_SCOPE_H_
