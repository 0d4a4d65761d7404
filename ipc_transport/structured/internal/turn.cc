#include "ipc_transport/structured/internal/turn.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

bool Turn::TakeSlowly(Deadline deadline) {
  const MutexLock lock(mutex_);
  waiting_.fetch_add(1, std::memory_order_seq_cst);  // Before the first look: pairs with `Pass`.
  bool in_time = true;
  bool taken = false;
  while (true) {
    taken = !taken_.exchange(true, std::memory_order_seq_cst);  // Pairs with `Pass`.
    if (taken || !in_time) break;
    in_time = passed_.WaitUntil(mutex_, deadline);
  }
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
  return taken;
}

void Turn::Wake() {
  // Under the mutex, so that a waiter between its look and its sleep is not missed.
  const MutexLock lock(mutex_);
  passed_.NotifyOne();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
