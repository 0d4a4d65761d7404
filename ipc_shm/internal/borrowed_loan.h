// A loan of the peer: given back when it is destroyed.

#ifndef SLUICE_IPC_SHM_INTERNAL_BORROWED_LOAN_H_
#define SLUICE_IPC_SHM_INTERNAL_BORROWED_LOAN_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/peer_regions.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/tsan_order.h"
#include "ipc_util/internal/fork_guard.h"
#include "ipc_util/internal/os.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What a borrower has of its peer. Shared by all that may borrow and by all loans, so that it stays mapped as long as
// one of them lives. When the last of them ends, the peer is told that it has everything back.
class Lender {
 public:
  // The windows as of PeerRegions.
  Lender(RegionWindow window, RegionWindow server_window, ReleaseCounters counters)
      : regions_(std::move(window), std::move(server_window)), counters_(std::move(counters)) {}
  Lender(const Lender&) = delete;
  Lender& operator=(const Lender&) = delete;
  ~Lender() {
    if (counters_.own_retired == nullptr || fork_guard_.InForkedChild()) return;
    // As for a single loan; pairs with LoanBook.
    counters_.own_retired->store(1, std::memory_order_seq_cst);
    os::Point("loan.retired");
    RingIfWanted();
  }

  PeerRegions& regions() { return regions_; }
  const PeerRegions& regions() const { return regions_; }
  const RegionWindow& window() const { return regions_.session(); }
  size_t slots() const { return counters_.own.size(); }

  // Gives a loan in `slot` back.
  void Release(uint32_t slot) const {
    if (fork_guard_.InForkedChild()) return;
    regions_.ForEach([](const RegionWindow& window) { TsanGivenBack(window); });
    // Release: pairs with LoanLedger::IsBack; what was read here was read before the owner writes it anew. Sequentially
    // consistent for RingIfWanted.
    counters_.own[slot].fetch_add(1, std::memory_order_seq_cst);
    os::Point("loan.released");
    RingIfWanted();
  }

 private:
  // Wakes an owner that waits for what comes back: once for each time that it wants to be.
  void RingIfWanted() const {
    if (counters_.peer_wants_bell == nullptr) return;
    // Sequentially consistent, and behind such a store of what is back: either it is seen here that the owner waits, or
    // the owner, which looks once more when it has said so, sees that it is back (LendingArena::WaitForReleases).
    const uint32_t wanted = counters_.peer_wants_bell->load(std::memory_order_seq_cst);
    // Relaxed: whoever comes second knows that another thread rings.
    if (wanted != 0 && rung_.exchange(wanted, std::memory_order_relaxed) != wanted) counters_.ring_peer();
  }

  PeerRegions regions_;
  const ReleaseCounters counters_;
  mutable std::atomic<uint32_t> rung_{0};  // The last wish that was fulfilled.
  const ForkGuard fork_guard_;
};

// Move-only. Any thread, one at a time.
class BorrowedLoan {
 public:
  // `slot` is one of `lender->slots()`.
  BorrowedLoan(std::shared_ptr<const Lender> lender, uint32_t slot) : lender_(std::move(lender)), slot_(slot) {}
  BorrowedLoan(BorrowedLoan&&) noexcept = default;
  BorrowedLoan& operator=(BorrowedLoan&&) = delete;
  ~BorrowedLoan() {
    if (lender_ != nullptr) lender_->Release(slot_);
  }

  const Lender& lender() const { return *lender_; }

 private:
  std::shared_ptr<const Lender> lender_;
  uint32_t slot_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_BORROWED_LOAN_H_
