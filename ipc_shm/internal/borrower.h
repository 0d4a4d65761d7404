// The borrower's side of a session's loans.

#ifndef SLUICE_IPC_SHM_INTERNAL_BORROWER_H_
#define SLUICE_IPC_SHM_INTERNAL_BORROWER_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/borrowed_loan.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Turns what the peer says of a loan into a loan, and remembers which of them it had. Any thread.
class Borrower {
 public:
  // The peer lends what lies in `window`, or, a server, in `server_window`, which may be empty.
  Borrower(RegionWindow window, RegionWindow server_window, ReleaseCounters counters);

  const Lender& lender() const { return *lender_; }
  // For what the peer announces. One thread at a time.
  void AddRegion(absl::StatusOr<RegionWindow> window) { lender_->regions().Add(std::move(window)); }
  const RegionWindow& window() const { return lender_->window(); }

  // A loan of which there may be more: those of a message. DATA_LOSS: there is no such slot.
  absl::StatusOr<BorrowedLoan> Take(LoanHandle loan);

  // The only one of its slot and generation. INVALID_ARGUMENT: it, or a later one, was taken before; nothing is given
  // back.
  absl::StatusOr<BorrowedLoan> TakeOnce(LoanHandle loan);

 private:
  absl::Status CheckSlot(LoanHandle loan) const;

  const std::shared_ptr<Lender> lender_;
  Mutex mutex_;
  std::vector<uint32_t> taken_ ABSL_GUARDED_BY(mutex_);  // The latest generation of each slot; 0: none.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_BORROWER_H_
