// Robust mutexes and conditions between processes that are killed and stopped.

#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "ipc_shm/robust_mutex.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::ipc::shm::RobustCondition;
using ::ipc::shm::RobustLock;
using ::ipc::shm::RobustMutex;

// `a` and `b` are equal whenever the mutex is free.
struct Shared {
  RobustMutex mutex;
  RobustCondition condition;
  int a = 0;
  int b = 0;
};

class SharedMemory {
 public:
  SharedMemory() : region_(*Region::Create("robust", sizeof(Shared), Sharing::kManyWriters)) {
    new (region_.data()) Shared();
  }
  Shared* operator->() const { return reinterpret_cast<Shared*>(region_.data()); }
  Child Start(const std::string& role, const std::string& argument = "") const {
    return Child::Start(role, {argument}, {.environment = {}, .inherited = region_.fd()});
  }

 private:
  Region region_;
};

// In a child; the mapping stays.
Shared& Inherited() {
  static const Region region =
      *Region::MapUpTo(InheritedFd(), size_t{1} << 20, Access::kReadWrite, Sharing::kManyWriters);
  return *reinterpret_cast<Shared*>(region.data());
}

int Rounds() {
  const char* const text = std::getenv("ROUNDS");
  int rounds = 20;
  if (text != nullptr && !absl::SimpleAtoi(text, &rounds)) std::abort();
  return rounds;
}

// Kills itself at the step that it is told.
SLUICE_CHILD_ROLE(dies_at_step) {
  const auto step = [&](const char* name) {
    if (arguments[0] == name) raise(SIGKILL);
  };
  Shared& shared = Inherited();
  absl::StatusOr<RobustLock> lock = shared.mutex.Lock(TimeLimit());
  step("locked");
  ++shared.a;
  step("half-written");
  ++shared.b;
  step("written");
  shared.condition.NotifyAll();
  step("notified");
  lock->Unlock();
  step("unlocked");
  return 0;
}

// K8, F25
TEST(RobustMutexPeerTest, AHolderKilledAnywhereLeavesItsStateUnrepaired) {
  for (const std::string step : {"locked", "half-written", "written", "notified", "unlocked"}) {
    const SharedMemory shared;
    EXPECT_EQ(shared.Start("dies_at_step", step).Wait(), -SIGKILL);
    {
      ASSERT_OK_AND_ASSIGN(RobustLock lock, shared->mutex.Lock(TimeLimit()));
      EXPECT_EQ(lock.owner_died(), step != "unlocked") << step;
      EXPECT_EQ(shared->a - shared->b, step == "half-written" ? 1 : 0) << step;
      shared->b = shared->a;
      lock.MakeConsistent();
    }
    EXPECT_EQ(shared.Start("dies_at_step").Wait(), 0) << "others go on";
    ASSERT_OK_AND_ASSIGN(RobustLock lock, shared->mutex.Lock(TimeLimit()));
    EXPECT_FALSE(lock.owner_died());
  }
}

SLUICE_CHILD_ROLE(tells_what_it_gets) {
  const absl::StatusOr<RobustLock> lock = Inherited().mutex.Lock(TimeLimit());
  TellParent(!lock.ok() ? absl::StatusCodeToString(lock.status().code()) : lock->owner_died() ? "died" : "held");
  return 0;
}

// F25
TEST(RobustMutexPeerTest, WhatNobodyRepairsIsLostInEveryProcess) {
  const SharedMemory shared;
  EXPECT_EQ(shared.Start("dies_at_step", "half-written").Wait(), -SIGKILL);
  for (const char* const gets : {"died", "FAILED_PRECONDITION"}) {
    Child child = shared.Start("tells_what_it_gets");
    EXPECT_EQ(child.Hear(), gets);
    EXPECT_EQ(child.Wait(), 0);
  }
#if !defined(ABSL_HAVE_THREAD_SANITIZER)  // Where it is so once for each mutex.
  EXPECT_THAT(shared->mutex.Lock(TimeLimit()), StatusIs(absl::StatusCode::kFailedPrecondition));
#endif
}

SLUICE_CHILD_ROLE(holds_it) {
  const absl::StatusOr<RobustLock> lock = Inherited().mutex.Lock(TimeLimit());
  TellParent("locked");
  HearParent();
  return 0;
}

// K8
TEST(RobustMutexPeerTest, AStoppedHolderCostsADeadlineAndNoMore) {
  const SharedMemory shared;
  Child holder = shared.Start("holds_it");
  ASSERT_EQ(holder.Hear(), "locked");
  holder.Stop();
  EXPECT_THAT(shared->mutex.Lock(absl::Milliseconds(120)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  holder.Continue();
  holder.Tell("unlock");
  ASSERT_OK_AND_ASSIGN(RobustLock lock, shared->mutex.Lock(TimeLimit()));
  EXPECT_FALSE(lock.owner_died());
  EXPECT_EQ(holder.Wait(), 0);
}

TEST(RobustMutexPeerTest, AHolderThatIsKilledWhileStoppedIsDead) {
  const SharedMemory shared;
  Child holder = shared.Start("holds_it");
  ASSERT_EQ(holder.Hear(), "locked");
  holder.Stop();
  holder.Kill();
  ASSERT_OK_AND_ASSIGN(RobustLock lock, shared->mutex.Lock(TimeLimit()));
  EXPECT_TRUE(lock.owner_died());
}

SLUICE_CHILD_ROLE(counts_for_ever) {
  Shared& shared = Inherited();
  TellParent("begins");
  while (true) {
    absl::StatusOr<RobustLock> lock = shared.mutex.Lock(TimeLimit());
    if (!lock.ok()) return 1;
    if (lock->owner_died()) {
      shared.b = shared.a;
      lock->MakeConsistent();
    }
    ++shared.a;
    shared.condition.NotifyAll();
    ++shared.b;
  }
}

// K8: at random instants.
TEST(RobustMutexPeerTest, ProcessesThatAreKilledInTurnsNeverBlockTheOthers) {
  const SharedMemory shared;
  Child survivor = shared.Start("counts_for_ever");
  ASSERT_EQ(survivor.Hear(), "begins");
  for (int round = 0; round < Rounds(); ++round) {
    Child victim = shared.Start("counts_for_ever");
    ASSERT_EQ(victim.Hear(), "begins");
    for (int i = 0; i < 1 + round * 7 % 13; ++i) {
      ASSERT_OK_AND_ASSIGN(RobustLock lock, shared->mutex.Lock(TimeLimit()));
      ASSERT_EQ(shared->a, shared->b);
      ASSERT_OK(shared->condition.Wait(lock, TimeLimit()));
      if (lock.owner_died()) {
        shared->b = shared->a;
        lock.MakeConsistent();
      }
    }
    victim.Kill();
    ASSERT_OK_AND_ASSIGN(RobustLock lock, shared->mutex.Lock(TimeLimit()));
    if (lock.owner_died()) {
      shared->b = shared->a;
      lock.MakeConsistent();
    }
  }
}

// Tells each value of `a` that it sees.
SLUICE_CHILD_ROLE(watches) {
  Shared& shared = Inherited();
  absl::StatusOr<RobustLock> lock = shared.mutex.Lock(TimeLimit());
  lock->MakeConsistent();
  TellParent("begins");
  for (int seen = 0;;) {
    if (!shared.condition.Await(*lock, [&] { return shared.a > seen; }, Deadline::Never()).ok()) return 1;
    lock->MakeConsistent();
    if (shared.a > seen) TellParent(absl::StrCat(seen = shared.a));
  }
}

// K8: glibc's own condition hangs in its notifier here.
TEST(RobustConditionPeerTest, KilledWaitersDelayNeitherNotifiersNorOtherWaiters) {
  const SharedMemory shared;
  Child survivor = shared.Start("watches");
  ASSERT_EQ(survivor.Hear(), "begins");
  for (int round = 1; round <= Rounds(); ++round) {
    Child victim = shared.Start("watches");
    ASSERT_EQ(victim.Hear(), "begins");
    if (round % 2 == 0) victim.Kill();
    {
      ASSERT_OK_AND_ASSIGN(RobustLock lock, shared->mutex.Lock(TimeLimit()));
      lock.MakeConsistent();
      shared->a = round;
      // One notification, which may go to the dead.
      shared->condition.NotifyOne();
    }
    if (round % 2 != 0) victim.Kill();
    ASSERT_EQ(survivor.Hear(), absl::StrCat(round));
  }
}

// K8
TEST(RobustConditionPeerTest, ANotifierKilledAnywhereLeavesNoWaiterAsleep) {
  for (const std::string step : {"locked", "half-written", "written", "notified", "unlocked"}) {
    const SharedMemory shared;
    ASSERT_OK_AND_ASSIGN(RobustLock lock, shared->mutex.Lock(TimeLimit()));
    Child notifier = shared.Start("dies_at_step", step);
    EXPECT_OK(shared->condition.Await(lock, [&] { return shared->b > 0; }, TimeLimit())) << step;
    EXPECT_EQ(lock.owner_died(), step != "unlocked") << step;
    EXPECT_EQ(notifier.Wait(), -SIGKILL);
  }
}

}  // namespace
}  // namespace ipc::testing
