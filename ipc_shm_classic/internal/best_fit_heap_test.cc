// What a heap does for its arena is in arena_conformance.cc.

#include "ipc_shm_classic/internal/best_fit_heap.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/size_classes.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kBytes = 8 * kBestFitChunkBytes;
constexpr size_t kBlock = 1000;

class BestFitHeapTest : public ::testing::Test {
 protected:
  void SetUp() override { Make(kBytes); }

  void Make(size_t bytes, bool is_committed = false) {
    ASSERT_OK_AND_ASSIGN(Region region, Region::Create("best-fit", bytes, Sharing::kManyWriters));
    region_ = std::make_shared<const Region>(std::move(region));
    runs_ = std::make_unique<PageRuns>(
        RegionWindow{.region = region_, .offset = 0, .bytes = bytes, .is_committed = is_committed});
  }

  size_t ResidentBytes() const { return region_->ResidentBytes().value_or(0); }

  // Blocks of `bytes`, each filled, until there is no room.
  std::vector<void*> Fill(SmallHeap& heap, size_t bytes) {
    std::vector<void*> blocks;
    while (void* const block = heap.Allocate(bytes, 8, false)) {
      std::memset(block, 1, bytes);
      blocks.push_back(block);
    }
    return blocks;
  }

  std::shared_ptr<const Region> region_;
  std::unique_ptr<PageRuns> runs_;
};

TEST_F(BestFitHeapTest, NeedsARun) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  EXPECT_NE(heap->Allocate(100, 8, false), nullptr);
  EXPECT_THAT(CreateBestFitHeap(*runs_, kBytes),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("no run of 33554432 bytes")));
}

TEST_F(BestFitHeapTest, BlocksTakeWhatTheirClassSays) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  const SizeClasses classes = heap->size_classes();
  for (size_t bytes = 1; bytes <= SizeClasses::kMaxBytes; ++bytes) {
    const size_t room = classes.RoomFor(bytes);
    auto* const a = static_cast<std::byte*>(heap->Allocate(room, SizeClasses::kAlignment, false));
    auto* const b = static_cast<std::byte*>(heap->Allocate(room, SizeClasses::kAlignment, false));
    EXPECT_EQ(b - a, static_cast<ptrdiff_t>(classes.FootprintOf(bytes))) << bytes;
    heap->Free(a, room);
    heap->Free(b, room);
  }
  EXPECT_EQ(classes.FootprintOf(33), 48u) << "a string of 32 bytes";
}

TEST_F(BestFitHeapTest, IsFullWithoutHarm) {
  constexpr size_t kSmall = size_t{1} << 20;
  Make(kSmall);
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kSmall));
  EXPECT_EQ(heap->Allocate(kSmall, 8, true), nullptr);
  void* const block = heap->Allocate(kSmall / 2, 4096, true);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 4096, 0u);
  EXPECT_EQ(heap->Allocate(kSmall / 2, 8, true), nullptr);
  heap->Free(block, kSmall / 2);
  EXPECT_NE(heap->Allocate(kSmall / 2, 8, true), nullptr);
}

TEST_F(BestFitHeapTest, AlignsABlockOfMostOfAChunk) {
  constexpr size_t kLarge = kBestFitChunkBytes / 4 * 3;
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  for (const size_t alignment : {64, 4096, 65536}) {
    void* const block = heap->Allocate(kLarge, alignment, true);
    ASSERT_NE(block, nullptr) << alignment;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0u);
    EXPECT_GE(heap->pages().committed_bytes, kLarge);
    EXPECT_TRUE(heap->FreeIfLive(block, kLarge));
    EXPECT_FALSE(heap->FreeIfLive(block, kLarge));
    EXPECT_LE(heap->pages().committed_bytes, kBestFitChunkBytes) << "one chunk did";
  }
}

TEST_F(BestFitHeapTest, TouchesOnlyWhatItUses) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  EXPECT_EQ(ResidentBytes(), 0u);
  EXPECT_NE(heap->Allocate(100, 8, true), nullptr);
  EXPECT_LE(ResidentBytes(), 3 * 4096u);
}

TEST_F(BestFitHeapTest, TellsWhichPagesItHas) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  EXPECT_EQ(heap->pages().committed_bytes, 0u);
  std::vector<void*> blocks = {heap->Allocate(100, 8, true)};
  EXPECT_EQ(heap->pages().committed_bytes, 4096u);
  for (void* const block : Fill(*heap, kBlock)) blocks.push_back(block);
  EXPECT_LE(heap->pages().committed_bytes, kBytes);
  EXPECT_GE(heap->pages().committed_bytes, blocks.size() * kBlock);
  EXPECT_EQ(heap->pages().dirty_bytes, 0u);
  for (void* const block : blocks) heap->Free(block, kBlock);
  EXPECT_EQ(heap->pages().committed_bytes, heap->pages().dirty_bytes);
  EXPECT_LE(heap->pages().dirty_bytes, kBestFitChunkBytes);
  EXPECT_GE(heap->pages().dirty_bytes + 2 * 4096, ResidentBytes());
}

TEST_F(BestFitHeapTest, AChunkOfACommittedWindowHasAllOfItsPages) {
  runs_ =
      std::make_unique<PageRuns>(RegionWindow{.region = region_, .offset = 0, .bytes = kBytes, .is_committed = true});
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  EXPECT_EQ(heap->pages().committed_bytes, 0u);
  void* const block = heap->Allocate(100, 8, false);
  EXPECT_EQ(heap->pages().committed_bytes, kBestFitChunkBytes);
  EXPECT_EQ(heap->pages().committed_bytes, ResidentBytes());
  heap->Free(block, 100);
  EXPECT_EQ(heap->pages().dirty_bytes, kBestFitChunkBytes);
}

TEST_F(BestFitHeapTest, FillsAllChunks) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  const std::vector<void*> blocks = Fill(*heap, kBlock);
  EXPECT_GT(blocks.size() * kBlock, kBytes / 100 * 97);
  for (void* const block : blocks) heap->Free(block, kBlock);
  EXPECT_EQ(Fill(*heap, kBlock).size(), blocks.size());
}

TEST_F(BestFitHeapTest, EmptyChunksGoBackToTheSystem) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  for (int round = 0; round < 2; ++round) {
    std::vector<void*> blocks = Fill(*heap, kBlock);
    EXPECT_GT(ResidentBytes(), kBytes / 100 * 97);
    // As a program would, in no order.
    std::shuffle(blocks.begin(), blocks.end(), std::mt19937(round));
    if (round == 0) {
      for (void* const block : blocks) heap->Free(block, kBlock);
    } else {
      heap->FreeMany(kBlock, blocks);
    }
    EXPECT_LE(ResidentBytes(), kBestFitChunkBytes);
  }
}

// One block more and one less, again and again, at the edge of a chunk.
TEST_F(BestFitHeapTest, AnEmptyChunkIsKept) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  void* const block = heap->Allocate(kBestFitChunkBytes / 2, 8, false);
  std::memset(block, 1, kBestFitChunkBytes / 2);
  const size_t resident = ResidentBytes();
  heap->Free(block, kBestFitChunkBytes / 2);
  EXPECT_EQ(ResidentBytes(), resident);
}

// H4: what a peer gives back may be anything.
TEST_F(BestFitHeapTest, OnlyLiveBlocksAreFreed) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  auto* const block = static_cast<std::byte*>(heap->Allocate(kBlock, 8, false));
  for (const ptrdiff_t offset : {ptrdiff_t{1}, ptrdiff_t{16}, ptrdiff_t{4096}, -ptrdiff_t{16}, ptrdiff_t{kBytes},
                                 -ptrdiff_t{kBytes}, ptrdiff_t{kBestFitChunkBytes}}) {
    EXPECT_FALSE(heap->FreeIfLive(block + offset, kBlock)) << offset;
  }
  EXPECT_TRUE(heap->FreeIfLive(block, kBlock));
  EXPECT_FALSE(heap->FreeIfLive(block, kBlock));
  EXPECT_EQ(heap->Allocate(kBlock, 8, false), block);
}

TEST_F(BestFitHeapTest, ThreadsEmptyChunksAtOnce) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        std::vector<void*> blocks(150);
        ASSERT_EQ(heap->AllocateMany(40'000, 16, absl::MakeSpan(blocks)), blocks.size());
        for (void* const block : blocks) std::memset(block, 1, 40'000);
        heap->FreeMany(40'000, blocks);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(ResidentBytes(), kBestFitChunkBytes);
}

// R1
TEST_F(BestFitHeapTest, ACommittedHeapHasTheMemoryOfItsChunks) {
  Make(kBytes, /*is_committed=*/true);
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  EXPECT_EQ(ResidentBytes(), 0u);
  void* const block = heap->Allocate(kBlock, 8, false);
  EXPECT_EQ(ResidentBytes(), kBestFitChunkBytes);
  heap->Free(block, kBlock);
  const testing::OsTesting os({testing::FailCall("Fallocate", ENOSPC)});
  EXPECT_EQ(Fill(*heap, 3 * kBestFitChunkBytes / 4).size(), 1u);
  EXPECT_EQ(ResidentBytes(), kBestFitChunkBytes);
}

}  // namespace
}  // namespace ipc::internal
