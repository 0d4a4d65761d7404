#include "ipc_shm/process_limit.h"

#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::GiveBackToProcess;
using ::ipc::internal::TakeFromProcess;

class ProcessLimitTest : public ::testing::Test {
 protected:
  void TearDown() override {
    shm::SetProcessLimit(std::numeric_limits<uint64_t>::max());
    EXPECT_EQ(shm::GetProcessUsage().used_bytes, 0u);
  }
};

TEST_F(ProcessLimitTest, AtFirstThereIsNone) {
  EXPECT_EQ(TakeFromProcess(size_t{1} << 50, 10), 10u);
  EXPECT_EQ(shm::GetProcessUsage().used_bytes, 10 * (uint64_t{1} << 50));
  GiveBackToProcess(10 * (size_t{1} << 50));
}

// R1: at the limit, one past it, and again.
TEST_F(ProcessLimitTest, NobodyGetsMore) {
  shm::SetProcessLimit(100);
  EXPECT_EQ(shm::GetProcessUsage().limit_bytes, 100u);
  EXPECT_EQ(TakeFromProcess(30, 5), 3u);
  EXPECT_EQ(TakeFromProcess(11, 1), 0u);
  EXPECT_EQ(TakeFromProcess(10, 1), 1u);
  EXPECT_EQ(TakeFromProcess(1, 1), 0u);
  GiveBackToProcess(30);
  EXPECT_EQ(TakeFromProcess(30, 1), 1u);
  shm::SetProcessLimit(50);  // Below what is used.
  EXPECT_EQ(TakeFromProcess(1, 1), 0u);
  GiveBackToProcess(100);
}

TEST_F(ProcessLimitTest, ThreadsTakeNoMoreTogether) {
  shm::SetProcessLimit(1000);
  std::vector<size_t> taken(4);
  std::vector<std::thread> threads;
  for (size_t& mine : taken) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 1000; ++i) mine += TakeFromProcess(1, 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken[0] + taken[1] + taken[2] + taken[3], 1000u);
  GiveBackToProcess(1000);
}

}  // namespace
}  // namespace ipc::testing
