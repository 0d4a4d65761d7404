// A session's message store: segments from an arena of this side, lent to the peer.

#ifndef SLUICE_IPC_SHM_INTERNAL_SEGMENT_STORE_H_
#define SLUICE_IPC_SHM_INTERNAL_SEGMENT_STORE_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_transport/structured/store.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What the peer has not given back yet stays allocated; see LendingArena.
class SegmentStore final : public MessageStore {
 public:
  // As LendingArena.
  static std::shared_ptr<SegmentStore> Create(std::unique_ptr<shm::Arena> arena, RegionWindow own, RegionWindow peer,
                                              ReleaseCounters counters, FurtherRegions further = {});

  absl::StatusOr<absl::Span<std::byte>> Allocate(size_t bytes) override;
  void Free(absl::Span<std::byte> segment) override;
  absl::StatusOr<std::unique_ptr<StoredSegments>> Publish(absl::Span<const absl::Span<std::byte>> segments,
                                                          absl::Span<const size_t> used) override;
  absl::StatusOr<std::unique_ptr<BorrowedSegments>> Borrow(LoanHandle loan,
                                                           absl::Span<const SegmentAddress> addresses) override;

  // Frees what is back.
  void Reclaim() { arena_->Reclaim(0); }

  shm::ArenaStats arena_stats() const { return arena_->arena().stats(); }

  // What the session's messages and objects take.
  MemoryUsage Usage() const;

  // Shared with the session's objects.
  const std::shared_ptr<LendingArena>& lending_arena() const { return arena_; }

 private:
  class Stored;
  class Borrowed;

  explicit SegmentStore(std::shared_ptr<LendingArena> arena) : arena_(std::move(arena)) {}

  const std::shared_ptr<LendingArena> arena_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_SEGMENT_STORE_H_
