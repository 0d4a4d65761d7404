#include "ipc_shm/internal/page_runs.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

constexpr size_t kUnit = PageRuns::kUnitBytes;

class PageRunsTest : public ::testing::Test {
 protected:
  // A page of the region lies before the window, and one behind it.
  static constexpr size_t kOffset = 4096;
  static constexpr size_t kUnits = 1024;

  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(Region region, Region::Create("runs", kUnits * kUnit + 2 * kOffset, Sharing::kManyWriters));
    region_ = std::make_shared<const Region>(std::move(region));
    runs_ = std::make_unique<PageRuns>(RegionWindow{.region = region_, .offset = kOffset, .bytes = kUnits * kUnit});
  }

  size_t ResidentBytes() const { return region_->ResidentBytes().value_or(0); }

  static bool IsZero(absl::Span<const std::byte> run) {
    return std::all_of(run.begin(), run.end(), [](std::byte byte) { return byte == std::byte{0}; });
  }

  static void Fill(absl::Span<std::byte> run) { std::memset(run.data(), 0xa5, run.size()); }

  std::shared_ptr<const Region> region_;
  std::unique_ptr<PageRuns> runs_;
};

TEST_F(PageRunsTest, RunsAreWholeUnitsFirstFit) {
  bool is_zero;
  const auto a = runs_->Allocate(1, &is_zero);
  const auto b = runs_->Allocate(2 * kUnit, &is_zero);
  const auto c = runs_->Allocate(kUnit, &is_zero);
  EXPECT_EQ(a.data(), region_->data() + kOffset);
  EXPECT_EQ(a.size(), kUnit);
  EXPECT_EQ(b.data(), a.data() + kUnit);
  EXPECT_EQ(b.size(), 2 * kUnit);
  runs_->Free(a);
  runs_->Free(b);
  EXPECT_EQ(runs_->Allocate(3 * kUnit, &is_zero).data(), a.data());
  EXPECT_EQ(runs_->Allocate(1, &is_zero).data(), c.data() + kUnit);
}

TEST_F(PageRunsTest, GivesOutAllOfTheWindowAndNoMore) {
  bool is_zero;
  const auto all = runs_->Allocate(kUnits * kUnit, &is_zero);
  EXPECT_EQ(all.size(), kUnits * kUnit);
  EXPECT_TRUE(runs_->Allocate(1, &is_zero).empty());
  EXPECT_TRUE(runs_->AllocateZeroed(1).empty());
  runs_->Free(all.subspan(kUnit, kUnit));
  EXPECT_EQ(runs_->Allocate(1, &is_zero).data(), all.data() + kUnit);
}

TEST_F(PageRunsTest, WhatIsKeptDirtyGoesBackWhenAsked) {
  bool is_zero;
  std::vector<absl::Span<std::byte>> runs;
  for (size_t i = 0; i < 8; ++i) Fill(runs.emplace_back(runs_->Allocate(2 * kUnit, &is_zero)));
  for (size_t i = 0; i < 8; i += 2) runs_->Free(runs[i]);
  EXPECT_EQ(ResidentBytes(), 16 * kUnit);
  runs_->PunchFree();
  EXPECT_EQ(ResidentBytes(), 8 * kUnit);
  EXPECT_EQ(runs_->Allocate(2 * kUnit, &is_zero).data(), runs[0].data());
  EXPECT_TRUE(is_zero);
  EXPECT_FALSE(IsZero(runs[1]));
  runs_->PunchFree();  // There is nothing.
  EXPECT_EQ(ResidentBytes(), 8 * kUnit);
}

TEST_F(PageRunsTest, KeepsNoneWhenToldSo) {
  runs_->KeepNone();
  bool is_zero;
  const auto run = runs_->Allocate(kUnit, &is_zero);
  Fill(run);
  runs_->Free(run);
  EXPECT_EQ(ResidentBytes(), 0u);
}

TEST_F(PageRunsTest, FreshRunsAreKnownToBeZero) {
  bool is_zero = false;
  const auto run = runs_->Allocate(4 * kUnit, &is_zero);
  EXPECT_TRUE(is_zero);
  EXPECT_EQ(ResidentBytes(), 0u);
  EXPECT_TRUE(IsZero(run));
}

TEST_F(PageRunsTest, FewFreedRunsStayDirty) {
  bool is_zero;
  const auto run = runs_->Allocate(2 * kUnit, &is_zero);
  Fill(run);
  runs_->Free(run);
  EXPECT_EQ(ResidentBytes(), 2 * kUnit);
  EXPECT_EQ(runs_->dirty_bytes(), 2 * kUnit);
  const auto again = runs_->Allocate(3 * kUnit, &is_zero);
  EXPECT_EQ(again.data(), run.data());
  EXPECT_FALSE(is_zero);
  EXPECT_EQ(runs_->dirty_bytes(), 0u);
  runs_->Free(again);
  const auto zeroed = runs_->AllocateZeroed(3 * kUnit);
  EXPECT_EQ(zeroed.data(), run.data());
  EXPECT_TRUE(IsZero(zeroed));
}

TEST_F(PageRunsTest, ManyFreedPagesGoBackToTheSystem) {
  bool is_zero;
  const auto run = runs_->Allocate(2 * PageRuns::kMaxDirtyBytes, &is_zero);
  Fill(run);
  EXPECT_EQ(ResidentBytes(), run.size());
  runs_->Free(run);
  EXPECT_EQ(ResidentBytes(), 0u);
  EXPECT_EQ(runs_->Allocate(run.size(), &is_zero).data(), run.data());
  EXPECT_TRUE(is_zero);
}

TEST_F(PageRunsTest, DirtyPagesAreBounded) {
  bool is_zero;
  std::vector<absl::Span<std::byte>> runs;
  for (size_t i = 0; i < kUnits; ++i) runs.push_back(runs_->Allocate(kUnit, &is_zero));
  for (const auto run : runs) Fill(run);
  for (const auto run : runs) runs_->Free(run);
  EXPECT_EQ(ResidentBytes(), PageRuns::kMaxDirtyBytes);
  EXPECT_EQ(runs_->dirty_bytes(), PageRuns::kMaxDirtyBytes);
  EXPECT_TRUE(IsZero(runs_->AllocateZeroed(kUnits * kUnit)));
}

TEST_F(PageRunsTest, PunchedPagesReadAsZero) {
  bool is_zero;
  const auto run = runs_->Allocate(kUnit, &is_zero);
  Fill(run);
  EXPECT_TRUE(runs_->Punch(run.subspan(4096, 8192)));
  EXPECT_EQ(ResidentBytes(), kUnit - 8192);
  EXPECT_FALSE(IsZero(run.first(4096)));
  EXPECT_TRUE(IsZero(run.subspan(4096, 8192)));
  EXPECT_FALSE(IsZero(run.subspan(4096 + 8192)));
}

TEST_F(PageRunsTest, OnlyWholeUnitsAreFreed) {
  bool is_zero;
  const auto run = runs_->Allocate(4 * kUnit, &is_zero);
  EXPECT_FALSE(runs_->TryFree(run.subspan(4096)));
  EXPECT_FALSE(runs_->TryFree(run.first(kUnit + 4096)));
  EXPECT_TRUE(runs_->TryFree(run.subspan(kUnit, 2 * kUnit)));
  EXPECT_EQ(runs_->Allocate(2 * kUnit, &is_zero).data(), run.data() + kUnit);
}

// Its memory is there when it is handed out.
class CommittedPageRunsTest : public PageRunsTest {
 protected:
  void SetUp() override {
    PageRunsTest::SetUp();
    runs_ = std::make_unique<PageRuns>(
        RegionWindow{.region = region_, .offset = kOffset, .bytes = kUnits * kUnit, .is_committed = true});
  }
};

TEST_F(CommittedPageRunsTest, RunsHaveTheirMemoryFromTheStart) {
  bool is_zero = false;
  const auto run = runs_->Allocate(3 * kUnit, &is_zero);
  EXPECT_TRUE(is_zero);
  EXPECT_EQ(ResidentBytes(), 3 * kUnit);
  const auto zeroed = runs_->AllocateZeroed(kUnit);
  EXPECT_EQ(ResidentBytes(), 4 * kUnit);
  Fill(run);
  runs_->Free(run);
  runs_->Free(zeroed);
  EXPECT_EQ(runs_->AllocateZeroed(4 * kUnit).data(), run.data());
  EXPECT_EQ(ResidentBytes(), 4 * kUnit);
}

TEST_F(CommittedPageRunsTest, WhatIsReservedIsCommittedByPieces) {
  const auto run = runs_->Reserve(4 * kUnit);
  EXPECT_EQ(ResidentBytes(), 0u);
  EXPECT_TRUE(runs_->Commit(run.first(kUnit)));
  EXPECT_EQ(ResidentBytes(), kUnit);
}

// R1
TEST_F(CommittedPageRunsTest, WithoutMemoryTheRunIsFreeAgain) {
  bool is_zero;
  const std::byte* begin;
  {
    const testing::OsTesting os({testing::FailCall("Fallocate", ENOSPC, {.first = 1, .times = 3})});
    EXPECT_TRUE(runs_->Allocate(2 * kUnit, &is_zero).empty());
    EXPECT_TRUE(runs_->AllocateZeroed(2 * kUnit).empty());
    const auto reserved = runs_->Reserve(kUnit);
    EXPECT_FALSE(runs_->Commit(reserved));
    begin = reserved.data();
    runs_->Free(reserved);
  }
  EXPECT_EQ(runs_->Allocate(kUnits * kUnit, &is_zero).data(), begin);
}

// Two threads never get the same page, and zeroed runs are zero whoever had them before.
TEST_F(PageRunsTest, ThreadsShareIt) {
  const auto work = [&](int seed) {
    std::mt19937 random(seed);
    std::vector<absl::Span<std::byte>> mine;
    for (int round = 0; round < 300; ++round) {
      const auto run = runs_->AllocateZeroed((1 + random() % 20) * kUnit);
      ASSERT_FALSE(run.empty());
      for (size_t i = 0; i < run.size(); i += 4096) {
        ASSERT_EQ(run[i], std::byte{0});
        run[i] = static_cast<std::byte>(seed);
      }
      mine.push_back(run);
      if (mine.size() < 10) continue;
      for (const auto old : mine) {
        for (size_t i = 0; i < old.size(); i += 4096) ASSERT_EQ(old[i], static_cast<std::byte>(seed));
        runs_->Free(old);
      }
      mine.clear();
    }
  };
  std::thread other(work, 1);
  work(2);
  other.join();
}

}  // namespace
}  // namespace ipc::internal
