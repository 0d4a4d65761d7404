// A session's message store: segments from an arena of this side, lent to the peer.

#ifndef SLUICE_IPC_SHM_INTERNAL_SEGMENT_STORE_H_
#define SLUICE_IPC_SHM_INTERNAL_SEGMENT_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/borrowed_loan.h"
#include "ipc_shm/internal/loan_ledger.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What the peer has not given back yet stays allocated: each call that allocates looks at some of it, and at all of it
// before it fails. Nothing ever waits for the peer.
class SegmentStore final : public MessageStore, public std::enable_shared_from_this<SegmentStore> {
 public:
  // `arena` allocates in `own`; the peer's segments lie in `peer`. Both windows are of region 0 of their owner.
  static std::shared_ptr<SegmentStore> Create(std::unique_ptr<shm::Arena> arena, RegionWindow own, RegionWindow peer,
                                              ReleaseCounters counters);

  absl::StatusOr<absl::Span<std::byte>> Allocate(size_t bytes) override;
  void Free(absl::Span<std::byte> segment) override;
  absl::StatusOr<std::unique_ptr<StoredSegments>> Publish(absl::Span<const absl::Span<std::byte>> segments,
                                                          absl::Span<const size_t> used) override;
  absl::StatusOr<std::unique_ptr<BorrowedSegments>> Borrow(LoanHandle loan,
                                                           absl::Span<const SegmentAddress> addresses) override;

  // Frees what is back among the `count` messages that were looked at longest ago.
  void Reclaim(size_t count);

  shm::ArenaStats arena_stats() const { return arena_->stats(); }

 private:
  class Stored;
  class Borrowed;

  using Segments = std::vector<absl::Span<std::byte>>;
  // No more of use to this side, and not all back from the peer.
  struct Draining {
    uint32_t slot;
    Segments segments;
  };

  SegmentStore(std::unique_ptr<shm::Arena> arena, RegionWindow own, RegionWindow peer, ReleaseCounters counters);

  absl::StatusOr<uint32_t> OpenSlot();
  // This side's use of published segments has ended.
  void Retire(uint32_t slot, Segments segments);

  const std::unique_ptr<shm::Arena> arena_;
  const RegionWindow own_;
  const std::shared_ptr<const Lender> lender_;

  Mutex mutex_;
  LoanLedger ledger_ ABSL_GUARDED_BY(mutex_);
  std::deque<Draining> draining_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_SEGMENT_STORE_H_
