// What a session of shared memory offers for native objects: made in this side's arena, lent to the peer, borrowed.

#ifndef SLUICE_IPC_SHM_INTERNAL_SESSION_ARENA_H_
#define SLUICE_IPC_SHM_INTERNAL_SESSION_ARENA_H_

#include <cstddef>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_shm/allocator.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/internal/object_entry.h"
#include "ipc_shm/internal/object_header.h"
#include "ipc_shm/internal/pointer_audit.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_shm/shareable.h"
#include "ipc_shm/type_identity.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {

class Session;

namespace internal {

template <typename T>
ObjectType ObjectTypeOf() {
  constexpr std::string_view kName = shm::TypeNameOf<T>();
  ObjectType type = {.id = shm::TypeIdOf<T>().value,
                     .name = absl::string_view(kName.data(), kName.size()),
                     .bytes = sizeof(T),
                     .alignment = alignof(T)};
  if constexpr (!std::is_trivially_destructible_v<T>) {
    type.destroy = [](void* object) noexcept { static_cast<T*>(object)->~T(); };
  }
  return type;
}

// Any thread. In a forked child's copy all calls fail, and harm nothing.
class SessionArena {
 public:
  explicit SessionArena(std::shared_ptr<LendingArena> arena) : arena_(std::move(arena)) {}

  // An object in this side's arena, made under its ArenaScope: containers in it lie there, too. It lives until its last
  // owner here has let go and its last loan is back; its destructor runs in what the last owner does, or in `Reclaim`,
  // or when the arena ends. Exceptions of T's constructor pass through, but std::bad_alloc.
  // RESOURCE_EXHAUSTED: the arena has no room for it; the text has its figures. FAILED_PRECONDITION: the arena's region
  // has no equal address in both processes, so that it can have no objects.
  template <typename T, typename... Args>
  absl::StatusOr<std::shared_ptr<T>> Construct(Args&&... args) {
    static_assert(shm::CheckShareable<T>());
    static_assert(alignof(T) <= shm::Arena::kMaxAlignment, "blocks of an arena are aligned to at most 4096");
    const ObjectType type = ObjectTypeOf<T>();
    SLUICE_ASSIGN_OR_RETURN(ObjectEntry* const entry, arena_->NewObject(type));
    Unfinished unfinished(*arena_, entry);
    try {
      const shm::ArenaScope scope(arena_->arena());
      shm::Allocator<std::byte>(arena_->arena())
          .construct(static_cast<T*>(entry->object()), std::forward<Args>(args)...);
    } catch (const std::bad_alloc&) {
      return arena_->FullFor(type);
    }
    unfinished.Finish();
    return std::shared_ptr<T>(static_cast<T*>(entry->object()), ObjectDeleter(arena_, *entry));
  }

  // The right of the peer to borrow `object` once. INVALID_ARGUMENT: null, or not one of `Construct` of this arena: a
  // pointer to a part of one does not do; in debug builds also: it has pointers that lead out of the region.
  // RESOURCE_EXHAUSTED: too many loans and messages are out.
  template <typename T>
  absl::StatusOr<shm::Loan> Lend(const std::shared_ptr<T>& object) {
    const auto* const owner = std::get_deleter<ObjectDeleter>(object);
    SLUICE_RETURN_IF_ERROR(CheckWhole(object.get(), owner));
    if constexpr (kAuditsPointers && !std::is_void_v<T>) {
      SLUICE_RETURN_IF_ERROR(AuditPointers(*object, arena_->own().region->bytes()));
    }
    return Lend(*owner);
  }

  // The peer's object, given back when the last copy of the pointer goes, in whatever thread; also after the session.
  // Only once for each loan. DATA_LOSS: `ref` is no loan of the peer, or its object has gone. INVALID_ARGUMENT: it was
  // borrowed before. FAILED_PRECONDITION: the object has another type, both are named; the session's memory has no
  // equal address in both processes. Then the loan is given back.
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
    SLUICE_ASSIGN_OR_RETURN(void* const object, arena_->Borrow(ref, ObjectTypeOf<Object>(), &loan));
    return std::shared_ptr<T>(std::move(loan), static_cast<T*>(object));
  }

  // Destroys up to `max` objects that nobody owns any more and whose loans are back, in this thread; returns how many.
  // What needs no destructor is freed in passing by whatever allocates or lends.
  size_t Reclaim(size_t max) { return arena_->Reclaim(max); }

  shm::ArenaStats arena_stats() const { return arena_->arena().stats(); }
  shm::LoanStats loan_stats() const { return arena_->loan_stats(); }

  // For ArenaScope. Its blocks are the user's to free.
  operator const shm::Arena&() const { return arena_->arena(); }

 private:
  // Gives the block back, unless the object is there.
  class Unfinished {
   public:
    Unfinished(LendingArena& arena, ObjectEntry* entry) : arena_(arena), entry_(entry) {}
    Unfinished(const Unfinished&) = delete;
    Unfinished& operator=(const Unfinished&) = delete;
    ~Unfinished() {
      if (entry_ != nullptr) arena_.Drop(entry_);
    }
    void Finish() { arena_.Finish(*std::exchange(entry_, nullptr)); }

   private:
    LendingArena& arena_;
    ObjectEntry* entry_;
  };

  // INVALID_ARGUMENT: `object` is not what `owner` holds, or that is not of this arena.
  absl::Status CheckWhole(const void* object, const ObjectDeleter* owner) const;
  absl::StatusOr<shm::Loan> Lend(const ObjectDeleter& owner);

  std::shared_ptr<LendingArena> arena_;
};

// That of `session`, of a kind of shared memory.
SessionArena ArenaOf(const Session& session);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_SESSION_ARENA_H_
