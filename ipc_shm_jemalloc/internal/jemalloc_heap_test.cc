// What a heap does for its arena is in arena_conformance.cc.

#include "ipc_shm_jemalloc/internal/jemalloc_heap.h"

#include <cstddef>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
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

// Of this process.
struct ProcessPages {
  long mapped = 0;
  long resident = 0;

  static ProcessPages Now() {
    ProcessPages pages;
    std::ifstream("/proc/self/statm") >> pages.mapped >> pages.resident;
    return pages;
  }
};

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

TEST_F(JemallocHeapTest, WhileItIsUsedMemoryGoesBackLittleByLittle) {
  runs_->KeepNone();
  heap_->SetDecay(absl::Milliseconds(50));
  std::vector<void*> blocks;
  for (size_t i = 0; i < kBytes / 2 / 100'000; ++i) {
    blocks.push_back(heap_->Allocate(100'000, 8, false));
    std::memset(blocks.back(), 1, 100'000);
  }
  for (void* const block : blocks) heap_->Free(block, 100'000);
  const absl::Time limit = absl::Now() + testing::TimeLimit();
  size_t least = ResidentBytes();
  int falls = 0;
  while (least > 0 && absl::Now() < limit) {
    heap_->Purge(/*all=*/false);
    if (ResidentBytes() < least) ++falls;
    least = ResidentBytes();
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(least, 0u);
  EXPECT_GT(falls, 0);
}

// What jemalloc's own thread caches would do: a block that one heap took back is the next one's.
TEST_F(JemallocHeapTest, HeapsOfAThreadNeverExchangeBlocks) {
  ASSERT_OK_AND_ASSIGN(Region region, Region::Create("other", kBytes, Sharing::kManyWriters));
  const auto other_region = std::make_shared<const Region>(std::move(region));
  PageRuns other_runs(RegionWindow{.region = other_region, .offset = 0, .bytes = kBytes});
  ASSERT_OK_AND_ASSIGN(const auto other, CreateJemallocHeap(other_runs));
  for (size_t bytes = 16; bytes < 1'000'000; bytes += bytes / 2) {
    for (int i = 0; i < 100; ++i) {
      void* const here = heap_->Allocate(bytes, 16, false);
      void* const there = other->Allocate(bytes, 16, false);
      ASSERT_TRUE(region_->Contains(here)) << bytes;
      ASSERT_TRUE(other_region->Contains(there)) << bytes;
      heap_->Free(here, bytes);
      other->Free(there, bytes);
    }
  }
}

// Neither memory nor addresses.
TEST_F(JemallocHeapTest, HeapsThatComeAndGoLeaveNothingBehind) {
  const auto use_some = [&](int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_OK_AND_ASSIGN(const auto heap, CreateJemallocHeap(*runs_));
      ASSERT_NE(heap->Allocate(100, 16, false), nullptr);
    }
    runs_ = nullptr;  // With the runs that they kept.
    runs_ = std::make_unique<PageRuns>(RegionWindow{.region = region_, .offset = 0, .bytes = kBytes});
  };
  heap_ = nullptr;
  use_some(10);
  const ProcessPages before = ProcessPages::Now();
  for (int i = 0; i < 100; ++i) use_some(10);
  const ProcessPages after = ProcessPages::Now();
  EXPECT_LT(after.mapped, before.mapped + 1000 * 10);
  if (testing::kSlowness == 1) {
    EXPECT_LT(after.resident, before.resident + 100);
  }
}

TEST_F(JemallocHeapTest, WhatWasDirtyBeforeGoesBackToo) {
  bool is_zero;
  const absl::Span<std::byte> old = runs_->Allocate(size_t{4} << 20, &is_zero);
  std::memset(old.data(), 1, old.size());
  runs_->Free(old);
  void* const block = heap_->Allocate(100, 16, false);
  std::memset(block, 1, 100);
  heap_->Free(block, 100);
  heap_->Purge(/*all=*/true);
  runs_->PunchFree();
  EXPECT_EQ(ResidentBytes(), 0u);
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
