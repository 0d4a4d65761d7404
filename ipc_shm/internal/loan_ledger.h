// The owner's account of what it lent: how often each slot went out, against how often the borrower gave it back.

#ifndef SLUICE_IPC_SHM_INTERNAL_LOAN_LEDGER_H_
#define SLUICE_IPC_SHM_INTERNAL_LOAN_LEDGER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/structured/store.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Both counts of a slot only rise and wrap around; equal, nothing is out. The borrower's are memory that only it
// writes: wrong ones cost the owner the slot, or the borrower what it still reads, and nothing else. One thread.
class LoanLedger {
 public:
  // `released` outlives the ledger.
  explicit LoanLedger(absl::Span<const std::atomic<uint32_t>> released) : released_(released) {}

  // How many slots were ever opened; those with the lowest numbers.
  size_t opened() const { return slots_.size(); }

  // A slot of which nothing is out. RESOURCE_EXHAUSTED: there is none.
  absl::StatusOr<uint32_t> Open();

  // Once everything is back: the slot may be opened again.
  void Close(uint32_t slot) noexcept { free_.push_back(slot); }

  // One more is out.
  LoanHandle Lend(uint32_t slot);
  // One that never went out is back.
  void TakeBack(uint32_t slot) { --slots_[slot].lent; }

  // Whether everything is back. What the borrower did with it then happened before.
  bool IsBack(uint32_t slot) const {
    // Acquire: pairs with the borrower's release when it gives a loan back (BorrowedLoan).
    return released_[slot].load(std::memory_order_acquire) == slots_[slot].lent;
  }

 private:
  struct Slot {
    uint32_t lent = 0;
    uint32_t generation = 0;
  };

  const absl::Span<const std::atomic<uint32_t>> released_;
  std::vector<Slot> slots_;     // Those that were ever opened.
  std::vector<uint32_t> free_;  // Has room for all of them.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_LOAN_LEDGER_H_
