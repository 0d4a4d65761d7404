// The owner's side of a session's loans: what is out, and of what.

#ifndef SLUICE_IPC_SHM_INTERNAL_LOAN_BOOK_H_
#define SLUICE_IPC_SHM_INTERNAL_LOAN_BOOK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/loan_ledger.h"
#include "ipc_transport/internal/peer_end.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Whether destructors of users' objects may run in the call.
enum class Destructors { kRun, kPutOff };

// What loans are of. Stays where it is from when the book watches a slot for it until it was told of all of them.
class LentThing {
 public:
  virtual ~LentThing() = default;

  // Everything that was lent by one of its slots is back, and the slot is closed. Called without locks; may delete it.
  virtual void CameBack(Destructors destructors) = 0;

  // The book ends while some of it is out.
  virtual void Abandon() = 0;

 private:
  friend class LoanBook;
  static constexpr uint32_t kNoSlot = std::numeric_limits<uint32_t>::max();

  uint32_t first_slot_ = kNoSlot;  // Of those that are watched for it; under the book's lock.
};

// Slots are opened, lent by, watched, and closed once everything lent by them is back: given back by the borrower, held
// by nobody because the borrower's process has ended, or because it told that it holds nothing and never will again; or
// lost, in a channel whose other end is gone.
// Any thread; nothing ever waits for the peer.
class LoanBook {
 public:
  static constexpr size_t kAll = std::numeric_limits<size_t>::max();

  explicit LoanBook(ReleaseCounters counters);
  LoanBook(const LoanBook&) = delete;
  LoanBook& operator=(const LoanBook&) = delete;
  // Abandons what is out.
  ~LoanBook();

  // One slot for many loans of one thing.

  // RESOURCE_EXHAUSTED: all slots are taken.
  absl::StatusOr<uint32_t> Open();
  LoanHandle Lend(uint32_t slot);
  // One that never went out.
  void TakeBack(uint32_t slot);
  // No more is lent by `slot`: watches it for `thing`, which is told at once if everything is back.
  void Watch(uint32_t slot, LentThing& thing);

  // A slot for each loan.

  // Opens a slot, lends by it once, and watches it for `thing`. RESOURCE_EXHAUSTED: all slots are taken.
  absl::StatusOr<LoanHandle> LendOnce(LentThing& thing);
  // It goes out in message `message` of a channel: should that never arrive, the loan is back.
  void GoesBy(uint32_t slot, std::shared_ptr<const PeerEnd> peer_end, uint64_t message);
  // That never went out; tells its thing.
  void TakeBackOnce(uint32_t slot);
  // Closes what is back of the slots that are watched for `thing`, and returns how many. Does not tell the thing.
  size_t CloseBackOf(LentThing& thing);

  // Whether anything that is watched is back; changes nothing.
  bool IsAnyBack();

  // Looks at the `looks` watched slots that were looked at longest ago, until `max` were back, and tells their things.
  // Returns how many. With `kAll` looks it also sees whether the peer's process has ended, which is a system call.
  size_t Reclaim(size_t looks, size_t max, Destructors destructors);

 private:
  static constexpr uint32_t kNoSlot = LentThing::kNoSlot;

  // A watched slot: its place in the circle of all of them, and in that of its thing.
  struct Watched {
    LentThing* thing = nullptr;
    uint32_t next = kNoSlot;
    uint32_t previous = kNoSlot;
    uint32_t next_of_thing = kNoSlot;
    uint32_t previous_of_thing = kNoSlot;
    // How its loan went out; null: that is not known.
    std::shared_ptr<const PeerEnd> peer_end = nullptr;
    uint64_t message = 0;
  };

  // A slot that can be watched.
  absl::StatusOr<uint32_t> OpenOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the peer holds nothing, for ever.
  bool HasPeerLetGo(bool asks_kernel);
  bool IsBack(uint32_t slot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether its loan was on the way when the channel ended.
  bool IsLost(uint32_t slot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Everything is back: stops watching it, and closes it.
  LentThing& CloseWatched(uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartWatching(uint32_t slot, LentThing& thing) noexcept ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  LentThing& StopWatching(uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ReleaseCounters counters_;
  // Release once the peer was seen to hold nothing, acquire by whoever relies on it.
  std::atomic<bool> peer_let_go_{false};

  Mutex mutex_;
  LoanLedger ledger_ ABSL_GUARDED_BY(mutex_);
  std::vector<Watched> watched_ ABSL_GUARDED_BY(mutex_);  // By slot; all that were ever opened.
  uint32_t oldest_ ABSL_GUARDED_BY(mutex_) = kNoSlot;     // Looked at longest ago; its previous one: last.
  size_t watched_count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_LOAN_BOOK_H_
