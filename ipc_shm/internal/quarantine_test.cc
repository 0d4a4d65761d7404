#include "ipc_shm/internal/quarantine.h"

#include <cstddef>
#include <vector>

#include "gtest/gtest.h"

namespace ipc::internal {
namespace {

constexpr size_t kBytes = size_t{300} << 10;

class QuarantineTest : public ::testing::Test {
 protected:
  // What is not poisoned can be read.
  static int Read(const Quarantine::Block& block) {
    return static_cast<volatile char*>(block.address)[block.bytes / 2];
  }
  Quarantine::Block BlockOf(size_t i) { return {memory_.data() + i * kBytes, kBytes}; }

  std::vector<char> memory_ = std::vector<char>(10 * kBytes);
  Quarantine quarantine_;  // Unpoisons the memory before it goes.
};

TEST_F(QuarantineTest, TheOldestLeave) {
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(quarantine_.Add(BlockOf(i)).empty()) << i;
  for (size_t i = 3; i < 10; ++i) {
    const std::vector<Quarantine::Block> leaving = quarantine_.Add(BlockOf(i));
    ASSERT_EQ(leaving.size(), 1u);
    EXPECT_EQ(leaving[0].address, BlockOf(i - 3).address);
    EXPECT_EQ(leaving[0].bytes, kBytes);
    EXPECT_EQ(Read(leaving[0]), 0);
  }
  EXPECT_EQ(quarantine_.TakeAll().size(), 3u);
  EXPECT_TRUE(quarantine_.TakeAll().empty());
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(Read(BlockOf(i)), 0);
}

TEST_F(QuarantineTest, WhatIsInItIsPoisoned) {
  if (!Quarantine::kIsOn) GTEST_SKIP() << "only the address sanitizer sees it: --config=asan";
  EXPECT_TRUE(quarantine_.Add(BlockOf(1)).empty());
  EXPECT_EQ(Read(BlockOf(0)), 0);
  EXPECT_DEATH(Read(BlockOf(1)), "use-after-poison");
}

}  // namespace
}  // namespace ipc::internal
