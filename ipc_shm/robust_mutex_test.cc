#include "ipc_shm/robust_mutex.h"

#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/deadline.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::ipc::shm::RobustCondition;
using ::ipc::shm::RobustLock;
using ::ipc::shm::RobustMutex;
using ::testing::HasSubstr;

TEST(RobustMutexTest, OneThreadAtATimeHoldsIt) {
  RobustMutex mutex;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 1000; ++round) {
        const absl::StatusOr<RobustLock> lock = mutex.Lock(TimeLimit());
        if (lock.ok() && !lock->owner_died()) ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 4000);
}

TEST(RobustMutexTest, LocksMoveAndLetGoOnce) {
  RobustMutex mutex;
  RobustMutex other;
  RobustLock lock;
  EXPECT_FALSE(lock.held());
  ASSERT_OK_AND_ASSIGN(lock, mutex.Lock());
  RobustLock moved = std::move(lock);
  EXPECT_FALSE(lock.held());
  EXPECT_TRUE(moved.held());
  EXPECT_FALSE(moved.owner_died());
  moved.Unlock();
  moved.Unlock();
  EXPECT_OK(mutex.Lock(Deadline::Passed()));
  ASSERT_OK_AND_ASSIGN(lock, mutex.Lock());
  ASSERT_OK_AND_ASSIGN(lock, other.Lock());
  EXPECT_OK(mutex.Lock(Deadline::Passed())) << "the assignment let go of it";
}

TEST(RobustMutexTest, OneThreadCannotLockItTwice) {
  RobustMutex mutex;
  const absl::StatusOr<RobustLock> lock = mutex.Lock();
  ASSERT_OK(lock);
  for (const Deadline deadline : {Deadline::Passed(), Deadline(TimeLimit())}) {
#if defined(ABSL_HAVE_THREAD_SANITIZER)
    GTEST_SKIP() << "the thread sanitizer sees no more than that it is held";
#endif
    EXPECT_THAT(mutex.Lock(deadline), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("this thread")));
  }
}

TEST(RobustMutexTest, ADeadlineEndsTheWait) {
  RobustMutex mutex;
  absl::StatusOr<RobustLock> lock = mutex.Lock();
  ASSERT_OK(lock);
  for (const absl::Duration time : {absl::ZeroDuration(), absl::Milliseconds(120)}) {
    std::thread([&] { EXPECT_THAT(mutex.Lock(time), StatusIs(absl::StatusCode::kDeadlineExceeded)); }).join();
  }
  std::thread waiter([&] { EXPECT_OK(mutex.Lock(TimeLimit())); });
  lock->Unlock();
  waiter.join();
}

// Ends while it holds `mutex`.
void DieWith(RobustMutex& mutex) {
  std::thread([&] {
    absl::StatusOr<RobustLock> lock = mutex.Lock();
    ASSERT_OK(lock);
    alignas(RobustLock) static unsigned char never_destroyed[sizeof(RobustLock)];
    new (never_destroyed) RobustLock(*std::move(lock));
  }).join();
}

// K8
TEST(RobustMutexTest, ADeadThreadsMutexCanBeRepaired) {
  RobustMutex mutex;
  DieWith(mutex);
  {
    ASSERT_OK_AND_ASSIGN(RobustLock lock, mutex.Lock(TimeLimit()));
    EXPECT_TRUE(lock.owner_died());
    lock.MakeConsistent();
    EXPECT_FALSE(lock.owner_died());
  }
  ASSERT_OK_AND_ASSIGN(const RobustLock lock, mutex.Lock(TimeLimit()));
  EXPECT_FALSE(lock.owner_died());
}

// F25
TEST(RobustMutexTest, UnrepairedItIsLostForAll) {
  RobustMutex mutex;
  DieWith(mutex);
  EXPECT_OK(mutex.Lock(TimeLimit()));
  EXPECT_THAT(mutex.Lock(TimeLimit()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("half-written")));
#if !defined(ABSL_HAVE_THREAD_SANITIZER)  // Where it is so once for each mutex.
  EXPECT_THAT(mutex.Lock(Deadline::Passed()), StatusIs(absl::StatusCode::kFailedPrecondition));
#endif
}

struct Box {
  RobustMutex mutex;
  RobustCondition condition;
  int value = 0;
};

TEST(RobustConditionTest, WaitersSeeWhatNotifiersChanged) {
  Box box;
  constexpr int kRounds = 200;
  // The two take turns: odd numbers are one's, even ones the other's.
  const auto play = [&](int parity) {
    for (int i = 0; i < kRounds; ++i) {
      absl::StatusOr<RobustLock> lock = box.mutex.Lock(TimeLimit());
      ASSERT_OK(lock);
      ASSERT_OK(box.condition.Await(*lock, [&] { return box.value % 2 == parity; }, TimeLimit()));
      ++box.value;
      box.condition.NotifyOne();
    }
  };
  std::thread other([&] { play(1); });
  play(0);
  other.join();
  EXPECT_EQ(box.value, 2 * kRounds);
}

TEST(RobustConditionTest, NotifyAllWakesAll) {
  Box box;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      absl::StatusOr<RobustLock> lock = box.mutex.Lock(TimeLimit());
      ASSERT_OK(lock);
      EXPECT_OK(box.condition.Await(*lock, [&] { return box.value != 0; }, TimeLimit()));
    });
  }
  {
    ASSERT_OK_AND_ASSIGN(const RobustLock lock, box.mutex.Lock(TimeLimit()));
    box.value = 1;
  }
  box.condition.NotifyAll();
  for (std::thread& thread : threads) thread.join();
}

TEST(RobustConditionTest, ADeadlineEndsTheWait) {
  Box box;
  ASSERT_OK_AND_ASSIGN(RobustLock lock, box.mutex.Lock());
  EXPECT_THAT(box.condition.Await(
                  lock, [] { return false; }, absl::Milliseconds(120)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(lock.held());
  EXPECT_THAT(box.condition.Wait(lock, Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(lock.held());
}

TEST(RobustConditionTest, WantsALockThatIsHeldAndWhole) {
  Box box;
  RobustLock none;
  EXPECT_THAT(box.condition.Wait(none, TimeLimit()), StatusIs(absl::StatusCode::kFailedPrecondition));
  DieWith(box.mutex);
  ASSERT_OK_AND_ASSIGN(RobustLock lock, box.mutex.Lock(TimeLimit()));
  EXPECT_THAT(box.condition.Wait(lock, TimeLimit()), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(lock.owner_died());
}

// K8
TEST(RobustConditionTest, AWaiterLearnsOfTheHoldersDeathWithoutANotification) {
  Box box;
  ASSERT_OK_AND_ASSIGN(RobustLock lock, box.mutex.Lock(TimeLimit()));
  std::thread notifier([&] { DieWith(box.mutex); });
  EXPECT_OK(box.condition.Await(lock, [] { return false; }, TimeLimit()));
  EXPECT_TRUE(lock.owner_died());
  notifier.join();
}

}  // namespace
}  // namespace ipc::testing
