#include "ipc_shm/internal/loan_ledger.h"

#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<uint32_t> LoanLedger::Open() {
  uint32_t slot;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
  } else if (slots_.size() < released_.size()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
    free_.reserve(slots_.capacity());
  } else {
    return absl::ResourceExhaustedError(
        absl::StrCat("all ", released_.size(),
                     " loan slots of the session are taken: as many messages are kept here "
                     "or by the peer; let go of some"));
  }
  ++slots_[slot].generation;
  return slot;
}

LoanHandle LoanLedger::Lend(uint32_t slot) {
  ++slots_[slot].lent;
  return {.slot = slot, .generation = slots_[slot].generation};
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
