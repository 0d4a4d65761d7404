#include "ipc_util/internal/mutex.h"

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "ipc_util/deadline.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::internal {
namespace {

// Whether another thread gets the lock.
bool IsFree(Mutex& mutex) {
  bool free = false;
  std::thread other([&] {
    if (!mutex.TryLock()) return;
    free = true;
    mutex.Unlock();
  });
  other.join();
  return free;
}

TEST(MutexTest, LocksAndUnlocks) {
  Mutex mutex;
  EXPECT_TRUE(IsFree(mutex));
  mutex.Lock();
  EXPECT_FALSE(IsFree(mutex));
  mutex.Unlock();
  EXPECT_TRUE(IsFree(mutex));
}

TEST(MutexTest, ALockLastsAsLongAsItsScope) {
  Mutex mutex;
  {
    MutexLock lock(mutex);
    EXPECT_FALSE(IsFree(mutex));
  }
  EXPECT_TRUE(IsFree(mutex));
}

// A guarded value, and those who wait for it.
class Gate {
 public:
  void Open(bool for_all) {
    MutexLock lock(mutex_);
    open_ = true;
    if (for_all) {
      opened_.NotifyAll();
    } else {
      opened_.NotifyOne();
    }
  }

  bool Pass(Deadline deadline) {
    MutexLock lock(mutex_);
    while (!open_) {
      if (!opened_.WaitUntil(mutex_, deadline)) return open_;
    }
    return true;
  }

 private:
  Mutex mutex_;
  CondVar opened_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST(CondVarTest, ANotifiedWaiterGoesOn) {
  for (const Deadline deadline : {Deadline(testing::TimeLimit()), Deadline::Never()}) {
    Gate gate;
    std::thread opener([&] { gate.Open(/*for_all=*/false); });
    EXPECT_TRUE(gate.Pass(deadline));
    opener.join();
  }
}

TEST(CondVarTest, NotifyAllWakesAll) {
  Gate gate;
  const auto pass = [&] { EXPECT_TRUE(gate.Pass(testing::TimeLimit())); };
  std::thread first(pass);
  std::thread second(pass);
  gate.Open(/*for_all=*/true);
  first.join();
  second.join();
}

TEST(CondVarTest, AWaitEndsWithItsDeadlineAndHoldsTheLock) {
  for (const Deadline deadline : {Deadline::Passed(), Deadline(absl::Milliseconds(1))}) {
    Mutex mutex;
    CondVar condition;
    MutexLock lock(mutex);
    while (condition.WaitUntil(mutex, deadline)) {
    }
    EXPECT_TRUE(deadline.HasPassed());
    EXPECT_FALSE(IsFree(mutex));
  }
}

}  // namespace
}  // namespace ipc::internal
