#include "ipc_shm/robust_mutex.h"

#include <errno.h>
#include <time.h>

#include <algorithm>

#include "absl/base/config.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm {
namespace {

static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

// As pthread_mutex_lock, with ETIMEDOUT after `time` or sooner.
int LockFor(pthread_mutex_t* mutex, absl::Duration time) {
#if defined(ABSL_HAVE_THREAD_SANITIZER)
  // It knows dead owners in pthread_mutex_trylock alone, which glibc forgets to undo after ENOTRECOVERABLE.
  const timespec pause = {.tv_sec = 0, .tv_nsec = time > absl::ZeroDuration() ? 1'000'000 : 0};
  nanosleep(&pause, nullptr);
  const int error = pthread_mutex_trylock(mutex);
  return error == EBUSY ? ETIMEDOUT : error;
#else
  timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until = absl::ToTimespec(absl::DurationFromTimespec(until) + time);
  return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
#endif
}

// As pthread_mutex_lock, with ETIMEDOUT. In slices, so that a wake-up that went to a killed process is made up for.
int LockUntil(pthread_mutex_t* mutex, Deadline deadline) {
  int error = LockFor(mutex, absl::ZeroDuration());
  while (error == ETIMEDOUT && !deadline.HasPassed()) {
    error = LockFor(mutex, std::min(deadline.Remaining(), RobustCondition::kSlice));
  }
  return error;
}

}  // namespace

RobustMutex::RobustMutex() {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&mutex_, &attributes);
  pthread_mutexattr_destroy(&attributes);
}

RobustMutex::~RobustMutex() { pthread_mutex_destroy(&mutex_); }

absl::StatusOr<RobustLock> RobustMutex::Lock(Deadline deadline) {
  switch (const int error = LockUntil(&mutex_, deadline)) {
    case 0:
      return RobustLock(this, /*owner_died=*/false);
    case EOWNERDEAD:
      return RobustLock(this, /*owner_died=*/true);
    case ETIMEDOUT:
      return absl::DeadlineExceededError("a mutex in shared memory is held by another thread or process, which lives");
    case EDEADLK:
      return absl::FailedPreconditionError("a mutex in shared memory is held by this thread already");
    case ENOTRECOVERABLE:
      return absl::FailedPreconditionError(
          "a mutex in shared memory guards what a process left half-written that died, and nobody has repaired it");
    default:
      return FromErrno(error, "lock a mutex in shared memory");
  }
}

RobustLock& RobustLock::operator=(RobustLock&& other) noexcept {
  if (this != &other) {
    Unlock();
    mutex_ = std::exchange(other.mutex_, nullptr);
    owner_died_ = other.owner_died_;
  }
  return *this;
}

void RobustLock::MakeConsistent() {
  if (!owner_died()) return;
  pthread_mutex_consistent(&mutex_->mutex_);
  owner_died_ = false;
}

void RobustLock::Unlock() {
  if (!held()) return;
  pthread_mutex_unlock(&std::exchange(mutex_, nullptr)->mutex_);
}

absl::Status RobustCondition::Wait(RobustLock& lock, Deadline deadline) {
  if (!lock.held()) return absl::FailedPreconditionError("a condition in shared memory wants a lock that is held");
  if (lock.owner_died()) {
    return absl::FailedPreconditionError("a condition waits on what a dead process left, which was not repaired");
  }
  if (deadline.HasPassed()) return absl::DeadlineExceededError("a condition in shared memory was not met in time");
  // Relaxed: the mutex orders it before what a notifier changes under it, and before the notification.
  const uint32_t before = notifications_.load(std::memory_order_relaxed);
  RobustMutex* const mutex = lock.mutex_;
  lock.Unlock();
  timespec timeout;
  const Deadline slice = Earlier(deadline, RobustCondition::kSlice);
  // Once: whatever ends it, the caller looks again. A changed number does at once.
  internal::os::FutexWait(reinterpret_cast<const uint32_t*>(&notifications_), before, slice.ToPollTimeout(&timeout));
  absl::StatusOr<RobustLock> again = mutex->Lock(deadline);
  if (!again.ok()) return again.status();
  lock = *std::move(again);
  return absl::OkStatus();
}

void RobustCondition::Notify(int waiters) {
  // Relaxed: what it tells of is ordered by the mutex.
  notifications_.fetch_add(1, std::memory_order_relaxed);
  internal::os::FutexWake(reinterpret_cast<const uint32_t*>(&notifications_), waiters);
}

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc
