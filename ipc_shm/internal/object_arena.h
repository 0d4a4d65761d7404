// Objects in an arena of shared memory.

#ifndef SLUICE_IPC_SHM_INTERNAL_OBJECT_ARENA_H_
#define SLUICE_IPC_SHM_INTERNAL_OBJECT_ARENA_H_

#include <cstddef>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_shm/allocator.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/internal/object_entry.h"
#include "ipc_shm/internal/object_header.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_shm/shareable.h"
#include "ipc_shm/type_identity.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
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

// A handle of an arena, which keeps it alive; may be copied. Any thread. In a forked child's copy all calls fail, and
// harm nothing.
class ObjectArena {
 public:
  explicit ObjectArena(std::shared_ptr<LendingArena> arena) : arena_(std::move(arena)) {}

  // An object in the arena, made under its ArenaScope: containers in it lie there, too. It lives until its last
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

  // Destroys up to `max` objects that nobody owns any more and whose loans are back, in this thread; returns how many.
  // What needs no destructor is freed in passing by whatever allocates or lends. Then memory of free blocks goes back
  // to the system as SessionOptions::arena_decay says.
  size_t Reclaim(size_t max) { return arena_->Reclaim(max); }

  // Of blocks, objects and parts of messages that lie in the session's memory or in a server's arena, own or borrowed:
  // see the functions of `Region` of these names, which say what they do and when they fail. INVALID_ARGUMENT also: it
  // does not lie there.
  absl::Status PreCommit(absl::Span<const std::byte> memory) const;
  absl::Status Collapse(absl::Span<const std::byte> memory) const;
  absl::Status PopulateForReading(absl::Span<const std::byte> memory) const;

  shm::ArenaStats arena_stats() const { return arena_->arena().stats(); }
  shm::LoanStats loan_stats() const { return arena_->loan_stats(); }

  // For ArenaScope. Its blocks are the user's to free.
  operator const shm::Arena&() const { return arena_->arena(); }

 protected:
  const std::shared_ptr<LendingArena>& lending_arena() const { return arena_; }

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

  std::shared_ptr<LendingArena> arena_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_OBJECT_ARENA_H_
