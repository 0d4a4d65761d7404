// The private side of an object in an arena: who holds it.

#ifndef SLUICE_IPC_SHM_INTERNAL_OBJECT_ENTRY_H_
#define SLUICE_IPC_SHM_INTERNAL_OBJECT_ENTRY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/internal/loan_book.h"
#include "ipc_shm/internal/object_header.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Held by its local owners together, and by each loan that is out. The arena's alone to use.
class ObjectEntry final : public Held {
 public:
  ObjectEntry(LendingArena& arena, const ObjectType& type, const ObjectPlacement& placement, void* block);

  LendingArena& arena() const { return arena_; }
  void* object() const { return object_; }

  // Whether it was found fit to be lent. Once it is out, a peer may be changing what an audit would look at.
  bool was_audited() const { return was_audited_.load(std::memory_order_relaxed); }
  void set_audited() { was_audited_.store(true, std::memory_order_relaxed); }

  void CameBack(Destructors destructors) override;
  void Abandon() override;
  void End() override;

 private:
  friend class LendingArena;

  // True: nobody holds it any more.
  bool LetGo(uint32_t holders) {
    // Release, for what this holder did with it; acquire, for what the others did.
    return holders_.fetch_sub(holders, std::memory_order_acq_rel) == holders;
  }

  LendingArena& arena_;
  void (*const destroy_)(void*) noexcept;
  void* const block_;
  void* const object_;
  const size_t block_bytes_;
  const size_t object_bytes_;
  ObjectHeader& header_;
  std::atomic<uint32_t> holders_{1};
  std::atomic<bool> was_audited_{false};  // Relaxed: an audit more does no harm.
  std::atomic<bool> was_lent_{false};     // Relaxed: read by the last owner, who comes after all that lent it.
};

// The deleter of the owners' shared pointers.
class ObjectDeleter {
 public:
  ObjectDeleter(std::shared_ptr<LendingArena> arena, ObjectEntry& entry) : arena_(std::move(arena)), entry_(&entry) {}

  void operator()(const void* /*object*/) const noexcept { arena_->ReleaseOwner(entry_); }

  const std::shared_ptr<LendingArena>& arena() const { return arena_; }
  ObjectEntry& entry() const { return *entry_; }

 private:
  std::shared_ptr<LendingArena> arena_;
  ObjectEntry* entry_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_OBJECT_ENTRY_H_
