#include "ipc_transport/structured/internal/turn.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using testing::TimeLimit;

// Turns are taken where the thread safety analysis cannot follow: conditions of expectations.
#define SLUICE_UNCHECKED ABSL_NO_THREAD_SAFETY_ANALYSIS

TEST(TurnTest, OneAtATime) SLUICE_UNCHECKED {
  Turn turn;
  ASSERT_TRUE(turn.TryTake());
  EXPECT_FALSE(turn.TryTake());
  EXPECT_FALSE(turn.Take(Deadline::Passed()));
  EXPECT_FALSE(turn.Take(absl::Milliseconds(1)));
  turn.Pass();
  EXPECT_TRUE(turn.Take(Deadline::Passed()));
  turn.Pass();
}

TEST(TurnTest, PassTurnPassesAtTheEndOfItsScope) SLUICE_UNCHECKED {
  Turn turn;
  ASSERT_TRUE(turn.TryTake());
  {
    const PassTurn pass(turn);
    EXPECT_FALSE(turn.TryTake());
  }
  EXPECT_TRUE(turn.TryTake());
  turn.Pass();
}

TEST(TurnTest, AWaiterGetsIt) SLUICE_UNCHECKED {
  Turn turn;
  ASSERT_TRUE(turn.TryTake());
  std::thread waiter([&]() SLUICE_UNCHECKED {
    EXPECT_TRUE(turn.Take(TimeLimit()));
    turn.Pass();
  });
  turn.Pass();
  waiter.join();
  EXPECT_TRUE(turn.TryTake());
  turn.Pass();
}

// A lost wake-up would run into the deadline; a turn given twice would lose counts, and tsan would tell.
TEST(TurnTest, ManyThreadsLoseNothing) SLUICE_UNCHECKED {
  constexpr int kThreads = 4;
  constexpr int kRounds = 5000;
  Turn turn;
  int counter = 0;
  std::atomic<int> inside{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i]() SLUICE_UNCHECKED {
      for (int round = 0; round < kRounds; ++round) {
        ASSERT_TRUE(turn.Take(i == 0 ? Deadline::Never() : Deadline(TimeLimit())));
        EXPECT_EQ(inside.fetch_add(1), 0);
        ++counter;
        inside.fetch_sub(1);
        turn.Pass();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, kThreads * kRounds);
}

// Waiters that give up take nobody's wake-up with them.
TEST(TurnTest, ThoseWhoGiveUpHarmNobody) SLUICE_UNCHECKED {
  constexpr int kRounds = 2000;
  Turn turn;
  int counter = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&]() SLUICE_UNCHECKED {
      for (int round = 0; round < kRounds; ++round) {
        ASSERT_TRUE(turn.Take(TimeLimit()));
        ++counter;
        turn.Pass();
      }
    });
  }
  threads.emplace_back([&]() SLUICE_UNCHECKED {
    for (int round = 0; round < kRounds; ++round) {
      if (!turn.Take(absl::Microseconds(1))) continue;
      turn.Pass();
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, 2 * kRounds);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
