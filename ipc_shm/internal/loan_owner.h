// Who takes a loan back that was not sent.

#ifndef SLUICE_IPC_SHM_INTERNAL_LOAN_OWNER_H_
#define SLUICE_IPC_SHM_INTERNAL_LOAN_OWNER_H_

#include <cstdint>
#include <memory>

#include "ipc_transport/internal/peer_end.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

class LoanOwner {
 public:
  virtual ~LoanOwner() = default;

  // The loan in `slot`, which never went out.
  virtual void TakeBack(uint32_t slot) = 0;

  // The loan in `slot` is about to go out in message `message` of a channel, whose `peer_end` tells whether it arrives.
  virtual void GoesBy(uint32_t slot, std::shared_ptr<const PeerEnd> peer_end, uint64_t message) = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_LOAN_OWNER_H_
