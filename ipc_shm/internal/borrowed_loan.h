// A loan of the peer: given back when it is destroyed.

#ifndef SLUICE_IPC_SHM_INTERNAL_BORROWED_LOAN_H_
#define SLUICE_IPC_SHM_INTERNAL_BORROWED_LOAN_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/region_window.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What a borrower has of its peer. Shared by all loans, so that it stays mapped as long as one of them lives.
struct Lender {
  RegionWindow window;
  ReleaseCounters counters;
};

// Move-only. Any thread, one at a time.
class BorrowedLoan {
 public:
  // `slot` is one of `lender->counters.own`.
  BorrowedLoan(std::shared_ptr<const Lender> lender, uint32_t slot) : lender_(std::move(lender)), slot_(slot) {}
  BorrowedLoan(BorrowedLoan&&) noexcept = default;
  BorrowedLoan& operator=(BorrowedLoan&&) = delete;
  ~BorrowedLoan() {
    // Release: pairs with LoanLedger::IsBack; what was read here was read before the owner writes it anew.
    if (lender_ != nullptr) lender_->counters.own[slot_].fetch_add(1, std::memory_order_release);
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
