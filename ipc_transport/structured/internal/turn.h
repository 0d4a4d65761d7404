// One thread at a time, with a deadline: a mutex that is also right for what may take long, such as a wait for room.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_TURN_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_TURN_H_

#include <atomic>

#include "absl/base/thread_annotations.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Uncontended it costs two atomic exchanges. Not fair.
class ABSL_LOCKABLE Turn {
 public:
  // False: another thread has had it until `deadline`.
  bool Take(Deadline deadline) ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return TryTake() || TakeSlowly(deadline); }

  // Pairs with the last holder's `Pass`. Sequentially consistent: who leaves word for the holder, fails here and goes
  // can rely on the holder to see it after `Pass`.
  bool TryTake() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return !taken_.exchange(true, std::memory_order_seq_cst); }

  void Pass() ABSL_UNLOCK_FUNCTION() {
    // A Dekker pair with `TakeSlowly`: either this sees who waits, or the waiter sees that it is free.
    taken_.store(false, std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_seq_cst) != 0) Wake();
  }

 private:
  bool TakeSlowly(Deadline deadline);
  void Wake();

  std::atomic<bool> taken_{false};
  std::atomic<int> waiting_{0};
  Mutex mutex_;
  CondVar passed_;
};

// Passes a turn that was taken, at the end of a scope.
class ABSL_SCOPED_LOCKABLE PassTurn {
 public:
  explicit PassTurn(Turn& turn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn) : turn_(turn) {}
  ~PassTurn() ABSL_UNLOCK_FUNCTION() { turn_.Pass(); }
  PassTurn(const PassTurn&) = delete;
  PassTurn& operator=(const PassTurn&) = delete;

 private:
  Turn& turn_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_TURN_H_
