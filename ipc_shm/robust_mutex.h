// A mutex and a condition that live inside objects in shared memory and outlive the processes that use them.

#ifndef SLUICE_IPC_SHM_ROBUST_MUTEX_H_
#define SLUICE_IPC_SHM_ROBUST_MUTEX_H_

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm {

class RobustLock;

// For objects that several processes change:
//
//   struct Account {
//     RobustMutex mutex;
//     int64_t balance = 0;
//   };
//
//   absl::StatusOr<RobustLock> lock = account.mutex.Lock(absl::Seconds(1));
//   if (!lock.ok()) return lock.status();
//   if (lock->owner_died()) {
//     ... what the mutex guards may be half-written: repair it ...
//     lock->MakeConsistent();
//   }
//
// Any thread of any process of one pid namespace that maps it for writing, at any address. It never moves, and is
// destroyed, or unmapped, when this process does not hold it.
class RobustMutex {
 public:
  RobustMutex();
  ~RobustMutex();
  RobustMutex(const RobustMutex&) = delete;
  RobustMutex& operator=(const RobustMutex&) = delete;

  // Waits until it is free, or its holder's process or thread has ended: then the lock's `owner_died` is true.
  // DEADLINE_EXCEEDED: a live holder, a stopped one maybe, has not let go of it. FAILED_PRECONDITION: this thread holds
  // it already; or a holder died and whoever came next did not repair what it guards, so that nobody can lock it again.
  absl::StatusOr<RobustLock> Lock(Deadline deadline = Deadline::Default());

 private:
  friend class RobustLock;

  pthread_mutex_t mutex_;
};

// Holds a mutex, or none; lets go of it when destroyed. Move-only; the thread that locked it unlocks it.
class [[nodiscard]] RobustLock {
 public:
  RobustLock() = default;  // Holds none.
  RobustLock(RobustLock&& other) noexcept
      : mutex_(std::exchange(other.mutex_, nullptr)), owner_died_(other.owner_died_) {}
  RobustLock& operator=(RobustLock&& other) noexcept;
  ~RobustLock() { Unlock(); }

  bool held() const { return mutex_ != nullptr; }

  // Whether the holder before this one died with it, until `MakeConsistent`.
  bool owner_died() const { return held() && owner_died_; }

  // What the mutex guards is whole again. Without this, whoever comes next gets FAILED_PRECONDITION, for ever.
  void MakeConsistent();

  void Unlock();

 private:
  friend class RobustMutex;
  friend class RobustCondition;
  RobustLock(RobustMutex* mutex, bool owner_died) : mutex_(mutex), owner_died_(owner_died) {}

  RobustMutex* mutex_ = nullptr;
  bool owner_died_ = false;
};

// Tells waiters that what a RobustMutex guards has changed. Whoever is killed, waiters or notifiers, delays the others
// by `kSlice` at most: a waiter looks again by itself, and nobody waits for a waiter. (The C library's condition,
// shared between processes, makes notifiers wait for waiters that were killed.) Lives where the mutex does.
class RobustCondition {
 public:
  static constexpr absl::Duration kSlice = absl::Milliseconds(50);

  RobustCondition() = default;
  RobustCondition(const RobustCondition&) = delete;
  RobustCondition& operator=(const RobustCondition&) = delete;

  // Lets go of `lock`, waits until notified, and locks again; may return sooner. OK: `lock` is held, and its
  // `owner_died` tells of who died meanwhile. DEADLINE_EXCEEDED: at once and with the lock still held, if the deadline
  // has passed already; else it passed while another held the mutex, and `lock` holds none. FAILED_PRECONDITION: `lock`
  // holds none, or what it guards was not repaired; or as of `RobustMutex::Lock`.
  absl::Status Wait(RobustLock& lock, Deadline deadline);

  // Waits until `ready()`, which is called under the lock. OK: it is, or `lock.owner_died()`. Else as `Wait`.
  template <typename Predicate>
  absl::Status Await(RobustLock& lock, Predicate ready, Deadline deadline) {
    while (!ready()) {
      if (absl::Status waited = Wait(lock, deadline); !waited.ok() || lock.owner_died()) return waited;
    }
    return absl::OkStatus();
  }

  // With the lock held or after it; never wait.
  void NotifyOne() { Notify(1); }
  void NotifyAll() { Notify(INT32_MAX); }

 private:
  void Notify(int waiters);

  std::atomic<uint32_t> notifications_{0};
};

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_ROBUST_MUTEX_H_
