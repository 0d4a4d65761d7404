#include "ipc_shm/internal/borrower.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// How far behind the latest a generation counts as an earlier one. Far less than half of them all: those of loans that
// were never sent are missed here.
constexpr uint32_t kRemembered = uint32_t{1} << 20;

}  // namespace

Borrower::Borrower(RegionWindow window, RegionWindow server_window, ReleaseCounters counters)
    : lender_(std::make_shared<Lender>(std::move(window), std::move(server_window), std::move(counters))) {}

absl::Status Borrower::CheckSlot(LoanHandle loan) const {
  if (loan.slot < lender_->slots()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the peer lent in slot ", loan.slot, " of ", lender_->slots()));
}

absl::StatusOr<BorrowedLoan> Borrower::Take(LoanHandle loan) {
  SLUICE_RETURN_IF_ERROR(CheckSlot(loan));
  const MutexLock lock(mutex_);
  if (loan.slot < taken_.size()) taken_[loan.slot] = loan.generation;
  return BorrowedLoan(lender_, loan.slot);
}

absl::StatusOr<BorrowedLoan> Borrower::TakeOnce(LoanHandle loan) {
  SLUICE_RETURN_IF_ERROR(CheckSlot(loan));
  const MutexLock lock(mutex_);
  if (loan.slot >= taken_.size()) taken_.resize(loan.slot + 1);
  uint32_t& taken = taken_[loan.slot];
  if (taken != 0 && taken - loan.generation < kRemembered) {
    return absl::InvalidArgumentError(absl::StrCat("the loan in slot ", loan.slot, " of generation ", loan.generation,
                                                   " was borrowed before, or ended: the latest is ", taken));
  }
  taken = loan.generation;
  return BorrowedLoan(lender_, loan.slot);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
