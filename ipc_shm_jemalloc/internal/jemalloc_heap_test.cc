// What a heap does for its arena is in arena_conformance.cc.

#include "ipc_shm_jemalloc/internal/jemalloc_heap.h"

#include <cstddef>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::internal {
namespace {

constexpr size_t kBytes = size_t{32} << 20;

class JemallocHeapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(Region region, Region::Create("jemalloc", kBytes, Sharing::kManyWriters));
    region_ = std::make_shared<const Region>(std::move(region));
    runs_ = std::make_unique<PageRuns>(RegionWindow{.region = region_, .offset = 0, .bytes = kBytes});
    ASSERT_OK_AND_ASSIGN(heap_, CreateJemallocHeap(*runs_));
  }

  size_t ResidentBytes() const { return region_->ResidentBytes().value_or(0); }

  std::shared_ptr<const Region> region_;
  std::unique_ptr<PageRuns> runs_;
  std::unique_ptr<SmallHeap> heap_;
};

// Its bookkeeping is private: what a borrower maps holds blocks and nothing else.
TEST_F(JemallocHeapTest, TouchesNothingItself) {
  EXPECT_EQ(ResidentBytes(), 0u);
  void* const block = heap_->Allocate(100, 8, false);
  EXPECT_TRUE(region_->Contains(block));
  EXPECT_EQ(ResidentBytes(), 0u);
  std::memset(block, 1, 100);
  EXPECT_EQ(ResidentBytes(), 4096u);
}

TEST_F(JemallocHeapTest, TellsWhichPagesItHas) {
  constexpr size_t kBlock = 100'000;
  EXPECT_EQ(heap_->pages().committed_bytes, 0u);
  void* const block = heap_->Allocate(kBlock, 8, false);
  std::memset(block, 1, kBlock);
  EXPECT_GE(heap_->pages().committed_bytes, kBlock);
  EXPECT_LE(heap_->pages().committed_bytes, 2 * kBlock);
  EXPECT_EQ(heap_->pages().dirty_bytes, 0u);
  heap_->Free(block, kBlock);
  // It takes a moment to be seen.
  const absl::Time deadline = absl::Now() + ::ipc::testing::TimeLimit();
  while (heap_->pages().dirty_bytes == 0 && absl::Now() < deadline) std::this_thread::yield();
  EXPECT_GE(heap_->pages().dirty_bytes, kBlock);
  EXPECT_EQ(heap_->pages().committed_bytes, heap_->pages().dirty_bytes);
}

TEST_F(JemallocHeapTest, RunsOfACommittedWindowHaveAllOfTheirPages) {
  heap_.reset();
  runs_ =
      std::make_unique<PageRuns>(RegionWindow{.region = region_, .offset = 0, .bytes = kBytes, .is_committed = true});
  ASSERT_OK_AND_ASSIGN(heap_, CreateJemallocHeap(*runs_));
  EXPECT_EQ(heap_->pages().committed_bytes, 0u);
  void* const block = heap_->Allocate(100'000, 8, false);
  EXPECT_EQ(heap_->pages().committed_bytes, ResidentBytes());
  EXPECT_GE(heap_->pages().committed_bytes, heap_->pages().dirty_bytes + 100'000);
  heap_->Free(block, 100'000);
  EXPECT_EQ(heap_->pages().committed_bytes, ResidentBytes());
  EXPECT_EQ(heap_->pages().dirty_bytes, ResidentBytes());
}

TEST_F(JemallocHeapTest, IsFullWithoutHarm) {
  std::vector<void*> blocks;
  while (void* const block = heap_->Allocate(100'000, 8, true)) blocks.push_back(block);
  EXPECT_GT(blocks.size(), kBytes / 100'000 * 3 / 4);
  EXPECT_EQ(heap_->Allocate(100'000, 8, true), nullptr);
  for (void* const block : blocks) heap_->Free(block, 100'000);
  EXPECT_NE(heap_->Allocate(100'000, 8, true), nullptr);
}

}  // namespace
}  // namespace ipc::internal
