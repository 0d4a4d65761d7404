// An arena of this side of a session whose blocks are lent to the peer, and what this side borrows of the peer's.

#ifndef SLUICE_IPC_SHM_INTERNAL_LENDING_ARENA_H_
#define SLUICE_IPC_SHM_INTERNAL_LENDING_ARENA_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/borrowed_loan.h"
#include "ipc_shm/internal/borrower.h"
#include "ipc_shm/internal/further_arenas.h"
#include "ipc_shm/internal/loan_book.h"
#include "ipc_shm/internal/loan_owner.h"
#include "ipc_shm/internal/object_header.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_transport/internal/peer_end.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/fork_guard.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

class LendingArena;
class ObjectEntry;

// What a session has beside its own region.
struct FurtherRegions {
  std::shared_ptr<LendingArena> server_arena = nullptr;  // A server's for the client; null: there is none.
  RegionWindow server_window = {};                       // A client's, of that arena; empty: there is none.
  std::weak_ptr<RegionExchange> exchange = {};           // For those that are announced later; null: there are none.
};

// Something that was lent and is held until it came back. Its end may be put off.
class Held : public LentThing {
 public:
  // Nobody holds it any more. Called without locks; deletes it.
  virtual void End() = 0;
};

// Messages and objects of a session share it. What the peer has not given back yet stays allocated: each call that
// allocates or lends looks at some of it, and at all of it before it fails. Any thread; nothing waits for the peer.
//
// It ends with the last of its shared pointers. If the peer still holds objects whose destructors are due, it lives on
// until another arena of this process is made, reclaims or ends, and finds that they are back.
class LendingArena final : public LoanOwner {
 public:
  // `arena` allocates in `own`; what the peer lends lies in `peer`. Both windows are of their owner's region of the
  // session.
  static std::shared_ptr<LendingArena> Create(std::unique_ptr<shm::Arena> arena, RegionWindow own, RegionWindow peer,
                                              ReleaseCounters counters, FurtherRegions further = {});
  // Looks at those that live on, so that they give up addresses that are free. Runs destructors.
  static void SweepEnded();
  LendingArena(const LendingArena&) = delete;
  LendingArena& operator=(const LendingArena&) = delete;
  ~LendingArena() override;

  shm::Arena& arena() { return *arena_; }
  const RegionWindow& own() const { return own_; }
  LoanBook& book() { return book_; }
  Borrower& borrower() { return borrower_; }
  bool in_forked_child() const { return fork_guard_.InForkedChild(); }

  // As `shm::Arena`.
  absl::StatusOr<void*> Allocate(size_t bytes, size_t alignment, bool zeroed);

  // Opens a slot for many loans, as LoanBook.
  absl::StatusOr<uint32_t> OpenSlot();

  // A block for an object of `type`, which is to be constructed in it, and then finished or dropped.
  // RESOURCE_EXHAUSTED: the arena is full. FAILED_PRECONDITION: it can have no objects; a forked child's copy.
  absl::StatusOr<ObjectEntry*> NewObject(const ObjectType& type);
  // The object is there, and has its owner.
  void Finish(ObjectEntry& entry);
  // Its constructor did not return.
  void Drop(ObjectEntry* entry);
  // Its last owner let go: it is destroyed now, if no loan of it is out, or else when the last one was found to be
  // back.
  void ReleaseOwner(ObjectEntry* entry);

  // One more loan of an object of this arena, whose owner the caller is. RESOURCE_EXHAUSTED: all slots are taken.
  absl::StatusOr<shm::LoanRef> Lend(ObjectEntry& entry);
  // The same of an object of another arena, which the loan owns, too, until it is back: `object` is a copy of its
  // owner's pointer. Also errors of FurtherArenas::NumberOf.
  absl::StatusOr<shm::LoanRef> LendFurther(const ObjectEntry& entry, std::shared_ptr<const void> object);
  void TakeBack(uint32_t slot) override;
  void GoesBy(uint32_t slot, std::shared_ptr<const PeerEnd> peer_end, uint64_t message) override;

  // Tells the peer of `arena`, one of its own, so that its objects can be lent. Errors as of FurtherArenas.
  absl::Status Share(const std::shared_ptr<LendingArena>& arena, FdView for_peer);
  // See SessionMemory::AdoptLater; peers have `access` to each other's arenas, of `pages`.
  absl::Status AdoptLater(absl::StatusOr<ReceivedRegion> region, uint64_t address, Access access, Pages pages);

  // The peer's object that `ref` names, and the loan that ends with `*loan`. Errors as of Borrower::TakeOnce and
  // FindLent; or why the region is not to be had here. But for those of the first the loan is given back.
  absl::StatusOr<void*> Borrow(const shm::LoanRef& ref, const ObjectType& type,
                               std::shared_ptr<const BorrowedLoan>* loan);

  // Where `memory` lies, if that is mapped for this session, or for an arena that it shares; region null: nowhere.
  struct Place {
    std::shared_ptr<const Region> region;
    size_t offset = 0;
  };
  Place PlaceOf(absl::Span<const std::byte> memory) const;

  // What the constructor of an object of `type` ran out of.
  absl::Status FullFor(const ObjectType& type) const;

  // Frees what is back, but for objects with destructors: of those that nobody owns, up to `max` are destroyed. Returns
  // how many. Looks at arenas that have ended, too. Then gives free memory back to the system: all of it, if the arena
  // was not used for its decay before, else what is due.
  size_t Reclaim(size_t max);

  // See SessionArena.
  absl::StatusOr<FdView> WaitFd();

  shm::LoanStats loan_stats();

 private:
  friend class EndedArenas;
  friend class ObjectEntry;
  class FurtherLoan;

  LendingArena(std::unique_ptr<shm::Arena> arena, RegionWindow own, RegionWindow peer, ReleaseCounters counters,
               FurtherRegions further);

  // Lends by a slot of its own.
  absl::StatusOr<LoanHandle> LendOnce(LentThing& thing);

  // Frees what is back among a few, or all, of what is out, and runs no destructor.
  void ReclaimSome();
  void ReclaimAll();
  // As `Reclaim`, of this arena alone.
  size_t ReclaimObjects(size_t max);
  // The descriptor tells of what comes back from now on, and of what is back already.
  void WaitForReleases(RegionExchange& exchange);
  // To be ended by `Reclaim`.
  void PutOff(Held& held);
  // The last holder of it is gone.
  void LetGo(ObjectEntry* entry, Destructors destructors);
  void Destroy(ObjectEntry* entry);
  // Null: none.
  Held* NextDue();

  const ForkGuard fork_guard_;
  const std::unique_ptr<shm::Arena> arena_;
  const RegionWindow own_;
  FurtherArenas further_;
  Borrower borrower_;

  // Counters alone; they order nothing.
  std::atomic<uint32_t> next_generation_{1};
  std::atomic<size_t> objects_{0};
  std::atomic<size_t> object_bytes_{0};
  std::atomic<size_t> loans_out_{0};
  // Objects that are not destroyed yet and must be, and loans of other arenas, which must come back.
  std::atomic<size_t> destructors_due_{0};

  std::atomic<uint32_t>* const wants_bell_;
  std::atomic<bool> has_wait_fd_{false};  // Relaxed: an early `Reclaim` does not matter.

  Mutex mutex_;
  std::deque<Held*> due_ ABSL_GUARDED_BY(mutex_);  // Nobody holds them; to be ended by `Reclaim`.
  LoanBook book_;                                  // Abandons what it watches before the rest ends.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_LENDING_ARENA_H_
