// Who takes a loan back that was not sent.

#ifndef SLUICE_IPC_SHM_INTERNAL_LOAN_OWNER_H_
#define SLUICE_IPC_SHM_INTERNAL_LOAN_OWNER_H_

#include <cstdint>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

class LoanOwner {
 public:
  virtual ~LoanOwner() = default;

  // The loan in `slot`, which never went out.
  virtual void TakeBack(uint32_t slot) = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_LOAN_OWNER_H_
