// What a session of shared memory offers for native objects: made in this side's arena, lent to the peer, borrowed.

#ifndef SLUICE_IPC_SHM_INTERNAL_SESSION_ARENA_H_
#define SLUICE_IPC_SHM_INTERNAL_SESSION_ARENA_H_

#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/internal/object_arena.h"
#include "ipc_shm/internal/object_entry.h"
#include "ipc_shm/internal/pointer_audit.h"
#include "ipc_shm/internal/standalone_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/shareable.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {

class Session;

namespace internal {

// Any thread. In a forked child's copy all calls fail, and harm nothing.
class SessionArena : public ObjectArena {
 public:
  using ObjectArena::ObjectArena;

  // Lets objects of `arena` be lent to the peer too, from now on and whenever they are made. Never waits; without
  // effect if it was shared before. The arena lives as long as the session, or longer. Whoever may borrow one object
  // can read all of the arena. RESOURCE_EXHAUSTED: 16 were shared in this session by this side, or no descriptor is to
  // be had. UNAVAILABLE, CANCELLED, DATA_LOSS: the session has ended, and why.
  absl::Status Share(const StandaloneArena& arena);

  // The right of the peer to borrow `object` once. INVALID_ARGUMENT: null, or not one of `Construct` of this arena, of
  // the server's for this client, or of one that was shared: a pointer to a part of one does not do; in debug builds
  // also: what is lent for the first time has pointers that lead out of its region.
  // RESOURCE_EXHAUSTED: too many loans and messages are out; or the arena was shared, and the peer, which reads nothing
  // from its session, could not be told of it yet.
  template <typename T>
  absl::StatusOr<shm::Loan> Lend(const std::shared_ptr<T>& object) {
    const auto* const owner = std::get_deleter<ObjectDeleter>(object);
    SLUICE_RETURN_IF_ERROR(CheckWhole(object.get(), owner));
    if constexpr (kAuditsPointers && !std::is_void_v<T>) {
      if (!owner->entry().was_audited()) {
        SLUICE_RETURN_IF_ERROR(AuditPointers(*object, owner->arena()->own().region->bytes()));
        owner->entry().set_audited();
      }
    }
    return Lend(*owner, object);
  }

  // For an event loop: readable when `Reclaim` may find something that came back, and at least until a call of it has
  // left nothing. A hint: it may be readable for nothing. Valid as long as the session; once that has ended it stays
  // readable, and what comes back later does so without a hint. RESOURCE_EXHAUSTED: no descriptors for it (raise
  // RLIMIT_NOFILE). CANCELLED: the session was closed on this side.
  absl::StatusOr<FdView> wait_fd() { return lending_arena()->WaitFd(); }

  // The peer's object, given back when the last copy of the pointer goes, in whatever thread; also after the session.
  // Only once for each loan. DATA_LOSS: `ref` is no loan of the peer, or its object has gone. INVALID_ARGUMENT: it was
  // borrowed before. FAILED_PRECONDITION: the object has another type, both are named; the session's memory, or the
  // arena that was shared, has no equal address in both processes. RESOURCE_EXHAUSTED: this process had no room for the
  // arena that was shared. Then the loan is given back.
  template <typename T>
  absl::StatusOr<std::shared_ptr<const T>> Borrow(const shm::LoanRef& ref) {
    return BorrowMutable<const T>(ref);
  }

  // The same, to be written by both sides. For sessions that allow it.
  template <typename T>
  absl::StatusOr<std::shared_ptr<T>> BorrowMutable(const shm::LoanRef& ref) {
    using Object = std::remove_const_t<T>;
    static_assert(shm::CheckShareable<Object>());
    std::shared_ptr<const BorrowedLoan> loan;
    SLUICE_ASSIGN_OR_RETURN(void* const object, lending_arena()->Borrow(ref, ObjectTypeOf<Object>(), &loan));
    return std::shared_ptr<T>(std::move(loan), static_cast<T*>(object));
  }

 private:
  // INVALID_ARGUMENT: `object` is not what `owner` holds.
  absl::Status CheckWhole(const void* object, const ObjectDeleter* owner) const;
  absl::StatusOr<shm::Loan> Lend(const ObjectDeleter& owner, std::shared_ptr<const void> object);
};

// That of `session`, of a kind of shared memory.
SessionArena ArenaOf(const Session& session);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_SESSION_ARENA_H_
