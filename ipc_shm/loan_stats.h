// Figures of one side's objects in a session.

#ifndef SLUICE_IPC_SHM_LOAN_STATS_H_
#define SLUICE_IPC_SHM_LOAN_STATS_H_

#include <cstddef>

namespace ipc {
inline namespace sluice_0 {
namespace shm {

struct LoanStats {
  size_t objects = 0;       // Constructed and not destroyed.
  size_t object_bytes = 0;  // Of them, without what they allocated.
  size_t loans_out = 0;     // Of objects, as far as this side has looked.
  size_t destroyable = 0;   // Objects that wait for `Reclaim`, as far as this side has looked.

  friend bool operator==(const LoanStats&, const LoanStats&) = default;
};

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_LOAN_STATS_H_
