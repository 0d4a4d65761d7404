#include "ipc_shm/arena_conformance.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/quarantine.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/testing/failing_new.h"
#include "ipc_util/testing/growth.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::ArenaHeader;
using ::ipc::internal::ArenaRegistry;
using ::ipc::internal::Mutex;
using ::ipc::internal::MutexLock;
using ::ipc::internal::PageRuns;
using ::ipc::internal::Quarantine;
using ::ipc::internal::RegionWindow;
using ::ipc::internal::Reservation;
using ::ipc::internal::WindowBytesFor;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

// Before the window: the headers, and bytes that are nobody's.
constexpr size_t kHeaderBytes = ArenaRegistry::kHeadersPerRegion * sizeof(ArenaHeader);
constexpr size_t kFenceBytes = ArenaRegistry::kHeaderBytes - kHeaderBytes;
constexpr std::byte kFence{0x5c};

// Of one thread, so that two stay below the limit.
constexpr size_t kMaxLiveBytes = size_t{16} << 20;

bool AllAre(absl::Span<const std::byte> bytes, std::byte value) {
  return std::all_of(bytes.begin(), bytes.end(), [&](std::byte byte) { return byte == value; });
}

absl::Span<std::byte> BytesOf(void* block, size_t bytes) {
  return absl::MakeSpan(static_cast<std::byte*>(block), bytes);
}

// A live block, filled with a value that is its own.
struct Block {
  absl::Span<std::byte> bytes;
  std::byte value{0};

  bool IsIntact() const { return AllAre(bytes, value); }
};

// Takes some 40 MB of the arena, touches them, and frees all.
void Use(shm::Arena& arena) {
  std::vector<absl::Span<std::byte>> blocks;
  for (const size_t bytes : {size_t{100}, size_t{3000}, size_t{100'000}, size_t{3'000'000}}) {
    for (size_t i = 0; i < 10'000'000 / bytes; ++i) {
      ASSERT_OK_AND_ASSIGN(void* const block, arena.Allocate(bytes, 8));
      std::memset(block, 1, bytes);
      blocks.push_back(BytesOf(block, bytes));
    }
  }
  for (const absl::Span<std::byte> block : blocks) arena.Free(block.data(), block.size());
}

void WaitUntilIdle(const shm::Arena& arena) {
  const absl::Time limit = absl::Now() + TimeLimit();
  while (!arena.IsIdle() && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(1));
}

// Allocates and frees at random against a model; every block keeps its content.
void Churn(shm::Arena& arena, uint32_t seed, int rounds, size_t max_bytes) {
  std::mt19937 random(seed);
  std::vector<Block> live;
  size_t live_bytes = 0;
  for (int round = 0; round < rounds; ++round) {
    const bool allocates = live.empty() || (live_bytes < kMaxLiveBytes && random() % 2 == 0);
    if (allocates) {
      // Small ones are as frequent as large ones.
      const size_t bytes = 1 + random() % (size_t{1} << (random() % 22)) % max_bytes;
      const size_t alignment = size_t{1} << (random() % 13);
      const bool zeroed = random() % 2 == 0;
      ASSERT_OK_AND_ASSIGN(void* const block,
                           zeroed ? arena.AllocateZeroed(bytes, alignment) : arena.Allocate(bytes, alignment));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0u);
      Block fresh = {BytesOf(block, bytes), static_cast<std::byte>(random())};
      if (zeroed) {
        ASSERT_TRUE(AllAre(fresh.bytes, std::byte{0})) << bytes;
      }
      std::memset(block, static_cast<int>(fresh.value), bytes);
      live.push_back(fresh);
      live_bytes += bytes;
    } else {
      std::swap(live[random() % live.size()], live.back());
      ASSERT_TRUE(live.back().IsIntact()) << live.back().bytes.size();
      live_bytes -= live.back().bytes.size();
      arena.Free(live.back().bytes.data(), live.back().bytes.size());
      live.pop_back();
    }
  }
  for (const Block& block : live) {
    EXPECT_TRUE(block.IsIntact());
    arena.Free(block.bytes.data(), block.bytes.size());
  }
}

}  // namespace

void ArenaConformance::Make(size_t limit_bytes) {
  arena_.reset();
  window_ = {};
  region_.reset();
  const size_t bytes = WindowBytesFor(limit_bytes);
  ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::Anywhere(ArenaRegistry::kHeaderBytes + bytes));
  ASSERT_OK_AND_ASSIGN(Region region, Region::Create("arena", Sharing::kManyWriters, std::move(place)));
  region_ = std::make_shared<const Region>(std::move(region));
  auto* const headers = new (region_->data()) ArenaHeader[ArenaRegistry::kHeadersPerRegion];
  std::memset(region_->data() + kHeaderBytes, static_cast<int>(kFence), kFenceBytes);
  window_ = {.region = region_, .offset = ArenaRegistry::kHeaderBytes, .bytes = bytes};
  ASSERT_OK_AND_ASSIGN(arena_,
                       GetParam()(window_, limit_bytes, {.header = headers, .peer_header = {}, .peer_window = {}}));
}

void ArenaConformance::TearDown() {
  if (arena_ == nullptr) return;
  EXPECT_EQ(arena_->stats().live_allocations, 0u) << "of the test itself";
  EXPECT_EQ(arena_->stats().allocated_bytes, 0u) << "of the test itself";
  arena_.reset();
  EXPECT_TRUE(AllAre(region_->bytes().subspan(kHeaderBytes, kFenceBytes), kFence));
}

TEST_P(ArenaConformance, ItsHeaderLeadsToIt) {
  EXPECT_EQ(static_cast<const void*>(arena_->header()), region_->data());
  EXPECT_EQ(ArenaRegistry::Find(arena_->header()), arena_.get());
  const ArenaHeader* const header = arena_->header();
  arena_.reset();
  EXPECT_EQ(ArenaRegistry::Find(header), nullptr);
}

TEST_P(ArenaConformance, BlocksLieInTheWindow) {
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{4096}, size_t{100'000}, shm::Arena::kLargeBytes - 1,
                             shm::Arena::kLargeBytes, shm::Arena::kLargeBytes + 1, size_t{5'000'000}}) {
    ASSERT_OK_AND_ASSIGN(void* const block, arena_->Allocate(bytes, 8));
    EXPECT_TRUE(window_.Contains(window_.OffsetOf(block), bytes)) << bytes;
    std::memset(block, 1, bytes);
    arena_->Free(block, bytes);
  }
}

TEST_P(ArenaConformance, CountsWhatIsLive) {
  EXPECT_EQ(arena_->stats().limit_bytes, kLimit);
  ASSERT_OK_AND_ASSIGN(void* const small, arena_->Allocate(100, 8));
  ASSERT_OK_AND_ASSIGN(void* const large, arena_->AllocateZeroed(2'000'000, 8));
  EXPECT_EQ(arena_->stats().live_allocations, 2u);
  EXPECT_EQ(arena_->stats().allocated_bytes, 2'000'100u);
  arena_->Free(small, 100);
  EXPECT_EQ(arena_->stats().live_allocations, 1u);
  EXPECT_EQ(arena_->stats().allocated_bytes, 2'000'000u);
  arena_->Free(large, 2'000'000);
}

TEST_P(ArenaConformance, TellsWhichPagesItHas) {
  EXPECT_EQ(arena_->stats().committed_bytes, 0u);
  constexpr size_t kBytes = size_t{8} << 20;
  ASSERT_OK_AND_ASSIGN(void* const large, arena_->Allocate(kBytes, 8));
  EXPECT_EQ(arena_->stats().committed_bytes, kBytes);
  EXPECT_EQ(arena_->stats().dirty_bytes, 0u);
  EXPECT_EQ(arena_->stats().fragmented_bytes(), 0u);
  const size_t kept = arena_->Shrink(large, kBytes, kBytes / 2);
  EXPECT_EQ(arena_->stats().committed_bytes, kBytes) << "what it no longer needs is kept";
  EXPECT_EQ(arena_->stats().dirty_bytes, kBytes - kept);
  arena_->Free(large, kept);
  EXPECT_EQ(arena_->stats().committed_bytes, kBytes);
  EXPECT_EQ(arena_->stats().dirty_bytes, kBytes);
  // More than is kept.
  ASSERT_OK_AND_ASSIGN(void* const all, arena_->Allocate(kLimit, 8));
  EXPECT_EQ(arena_->stats().committed_bytes, kLimit);
  arena_->Free(all, kLimit);
  EXPECT_EQ(arena_->stats().committed_bytes, arena_->stats().dirty_bytes);
  EXPECT_LE(arena_->stats().dirty_bytes, PageRuns::kMaxDirtyBytes);
}

TEST_P(ArenaConformance, WhatItSaysOfPagesTheSystemSaysToo) {
  constexpr size_t kBytes = 2000;
  const size_t before = ResidentBytes();
  std::vector<void*> blocks;
  for (int i = 0; i < 10'000; ++i) {
    blocks.push_back(arena_->TryAllocate(kBytes, 8));
    std::memset(blocks.back(), 1, kBytes);
  }
  const size_t resident = ResidentBytes() - before;
  EXPECT_THAT(arena_->stats().committed_bytes, AllOf(Ge(resident / 10 * 9), Le(resident / 10 * 11)));
  for (void* const block : blocks) arena_->Free(block, kBytes);
}

TEST_P(ArenaConformance, TellsWhatThreadsKeep) {
  if (::ipc::internal::Quarantine::kIsOn) GTEST_SKIP() << "freed blocks are in quarantine, not with threads";
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(arena_->TryAllocate(40, 8));
  for (void* const block : blocks) arena_->Free(block, 40);
  EXPECT_THAT(arena_->stats().cached_bytes, AllOf(Ge(100 * 40u), Le(200 * 48u)));
  EXPECT_GE(arena_->stats().committed_bytes, arena_->stats().cached_bytes);
  GiveUpFreedBlocks();
  EXPECT_EQ(arena_->stats().cached_bytes, 0u);
}

TEST_P(ArenaConformance, TellsHowFragmentedItIs) {
  constexpr size_t kBytes = 200;
  std::vector<void*> blocks;
  for (int i = 0; i < 100'000; ++i) blocks.push_back(arena_->TryAllocate(kBytes, 8));
  shm::ArenaStats stats = arena_->stats();
  EXPECT_GE(stats.committed_bytes, stats.allocated_bytes);
  EXPECT_LE(stats.fragmented_bytes(), stats.allocated_bytes / 4) << "they lie close together";
  // One here and there holds all pages.
  std::vector<void*> left;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i % 10 == 0) {
      left.push_back(blocks[i]);
    } else {
      arena_->Free(blocks[i], kBytes);
    }
  }
  GiveUpFreedBlocks();
  stats = arena_->stats();
  EXPECT_EQ(stats.allocated_bytes, left.size() * kBytes);
  EXPECT_GE(stats.fragmented_bytes(), 8 * stats.allocated_bytes);
  for (void* const block : left) arena_->Free(block, kBytes);
  GiveUpFreedBlocks();
  stats = arena_->stats();
  EXPECT_EQ(stats.fragmented_bytes(), 0u);
  EXPECT_EQ(stats.committed_bytes, stats.dirty_bytes);
}

TEST_P(ArenaConformance, RefusesBadSizesAndAlignments) {
  EXPECT_THAT(arena_->Allocate(0, 8), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not 0")));
  EXPECT_THAT(arena_->Allocate(8, 0), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not 0")));
  EXPECT_THAT(arena_->Allocate(8, 24), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not 24")));
  EXPECT_THAT(arena_->AllocateZeroed(8, 8192), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("4096")));
}

// R3: where this process's own memory ends, an allocation throws, and takes nothing.
TEST_P(ArenaConformance, WhatThrowsTakesNothing) {
  for (const size_t bytes : {size_t{40}, size_t{5000}, shm::Arena::kLargeBytes}) {
    for (uint64_t nth = 1;; ++nth) {
      ASSERT_LT(nth, 100u);
      const FailingNew failing(nth);
      void* block = nullptr;
      try {
        block = arena_->Allocate(bytes, 8).value();
      } catch (const std::bad_alloc&) {
        EXPECT_EQ(arena_->stats().allocated_bytes, 0u) << bytes;
        continue;
      }
      arena_->Free(block, bytes);
      if (!failing.has_failed()) break;
    }
    // All of the limit is there.
    ASSERT_OK_AND_ASSIGN(void* const all, arena_->Allocate(kLimit, 8));
    arena_->Free(all, kLimit);
  }
}

// R1: exactly up to the limit, and again once something is freed.
TEST_P(ArenaConformance, IsFullAtItsLimit) {
  std::vector<void*> blocks;
  constexpr size_t kBlock = kLimit / 32;
  for (int i = 0; i < 32; ++i) {
    ASSERT_OK_AND_ASSIGN(void* const block, arena_->Allocate(kBlock, 8));
    blocks.push_back(block);
  }
  const auto is_full = StatusIs(absl::StatusCode::kResourceExhausted,
                                AllOf(HasSubstr("no room for 1 bytes"), HasSubstr("67108864 of its 67108864"),
                                      HasSubstr("32 blocks"), HasSubstr("SessionOptions::arena_bytes")));
  EXPECT_THAT(arena_->Allocate(1, 1), is_full);
  EXPECT_THAT(arena_->AllocateZeroed(1, 1), is_full);
  arena_->Free(blocks.back(), kBlock);
  blocks.pop_back();
  EXPECT_THAT(arena_->Allocate(kBlock + 1, 8), StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_OK_AND_ASSIGN(void* const block, arena_->Allocate(kBlock, 8));
  blocks.push_back(block);
  for (void* const each : blocks) arena_->Free(each, kBlock);
  ASSERT_OK_AND_ASSIGN(void* const all, arena_->Allocate(kLimit, 8));
  arena_->Free(all, kLimit);
}

TEST_P(ArenaConformance, SmallBlocksReachTheLimitToo) {
  constexpr size_t kBlock = 100'000;
  std::vector<void*> blocks;
  while (true) {
    const absl::StatusOr<void*> block = arena_->Allocate(kBlock, 8);
    if (!block.ok()) break;
    blocks.push_back(*block);
  }
  EXPECT_EQ(blocks.size(), kLimit / kBlock);
  for (void* const block : blocks) arena_->Free(block, kBlock);
}

TEST_P(ArenaConformance, LargeBlocksCostNoMemoryUntilTouched) {
  const size_t before = ResidentBytes();
  ASSERT_OK_AND_ASSIGN(void* const block, arena_->AllocateZeroed(kLimit, 8));
  EXPECT_EQ(ResidentBytes(), before);
  std::memset(block, 1, kLimit);
  EXPECT_EQ(ResidentBytes(), before + kLimit);
  arena_->Free(block, kLimit);
  EXPECT_EQ(ResidentBytes(), before);
}

TEST_P(ArenaConformance, ZeroedBlocksAreZeroWhateverWasThere) {
  for (const size_t bytes : {size_t{64}, size_t{8192}, size_t{65536}, size_t{300'000}, size_t{3'000'000}}) {
    ASSERT_OK_AND_ASSIGN(void* const old, arena_->Allocate(bytes, 8));
    std::memset(old, 0xff, bytes);
    arena_->Free(old, bytes);
    ASSERT_OK_AND_ASSIGN(void* const block, arena_->AllocateZeroed(bytes, 8));
    EXPECT_TRUE(AllAre(BytesOf(block, bytes), std::byte{0})) << bytes;
    arena_->Free(block, bytes);
  }
}

TEST_P(ArenaConformance, ShrinksLargeBlocks) {
  constexpr size_t kBytes = size_t{32} << 20;
  ASSERT_OK_AND_ASSIGN(void* const block, arena_->Allocate(kBytes, 8));
  std::memset(block, 7, kBytes);
  const size_t resident = ResidentBytes();
  const size_t kept = arena_->Shrink(block, kBytes, 10'000'000);
  EXPECT_GE(kept, 10'000'000u);
  EXPECT_LT(kept, 10'100'000u);
  EXPECT_EQ(arena_->stats().allocated_bytes, kept);
  EXPECT_LT(ResidentBytes(), resident);
  EXPECT_TRUE(AllAre(BytesOf(block, kept), std::byte{7}));
  // Nothing more to take; then all but the least that is a large block.
  EXPECT_EQ(arena_->Shrink(block, kept, 10'000'000), kept);
  EXPECT_EQ(arena_->Shrink(block, kept, 1), shm::Arena::kLargeBytes);
  arena_->Free(block, shm::Arena::kLargeBytes);
}

TEST_P(ArenaConformance, SmallBlocksDoNotShrink) {
  ASSERT_OK_AND_ASSIGN(void* const block, arena_->Allocate(100'000, 8));
  EXPECT_EQ(arena_->Shrink(block, 100'000, 8), 100'000u);
  arena_->Free(block, 100'000);
}

TEST_P(ArenaConformance, BlocksKeepTheirContent) { Churn(*arena_, 1, 3000, size_t{4} << 20); }

TEST_P(ArenaConformance, ThreadsShareIt) {
  std::thread other([&] { Churn(*arena_, 2, 1000, size_t{2} << 20); });
  Churn(*arena_, 3, 1000, size_t{2} << 20);
  other.join();
}

TEST_P(ArenaConformance, BlocksAreFreedByOtherThreads) {
  std::vector<void*> blocks;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_OK_AND_ASSIGN(void* const block, arena_->Allocate(1000, 16));
    blocks.push_back(block);
  }
  std::thread([&] {
    for (void* const block : blocks) arena_->Free(block, 1000);
  }).join();
}

// Each size at each alignment, beside others of its kind; of large blocks, the ends and some pages between them.
TEST_P(ArenaConformance, BlocksOfAllSizesKeepApart) {
  Make(size_t{4} << 30);
  for (const size_t bytes : {size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{33}, size_t{511}, size_t{512},
                             size_t{513}, size_t{4095}, size_t{4096}, size_t{4097}, size_t{65'536}, size_t{1'000'000},
                             shm::Arena::kLargeBytes, size_t{1'000'000'000}}) {
    for (size_t alignment = 1; alignment <= shm::Arena::kMaxAlignment; alignment *= 2) {
      std::array<std::byte*, 3> blocks;
      const size_t step = bytes <= 4097 ? 1 : bytes / 16;
      for (size_t i = 0; i < blocks.size(); ++i) {
        blocks[i] = static_cast<std::byte*>(arena_->TryAllocate(bytes, alignment));
        ASSERT_NE(blocks[i], nullptr) << bytes << " at " << alignment;
        ASSERT_EQ(reinterpret_cast<uintptr_t>(blocks[i]) % alignment, 0u) << bytes;
        ASSERT_TRUE(window_.Contains(window_.OffsetOf(blocks[i]), bytes));
        for (size_t at = 0; at < bytes; at += step) blocks[i][at] = static_cast<std::byte>(i);
        blocks[i][bytes - 1] = static_cast<std::byte>(i);
      }
      for (size_t i = 0; i < blocks.size(); ++i) {
        for (size_t at = 0; at < bytes; at += step) ASSERT_EQ(blocks[i][at], static_cast<std::byte>(i)) << bytes;
        ASSERT_EQ(blocks[i][bytes - 1], static_cast<std::byte>(i)) << bytes;
        arena_->Free(blocks[i], bytes);
      }
    }
  }
}

TEST_P(ArenaConformance, TryAllocateRefusesToo) {
  EXPECT_EQ(arena_->TryAllocate(0, 8), nullptr);
  EXPECT_EQ(arena_->TryAllocate(8, 0), nullptr);
  EXPECT_EQ(arena_->TryAllocate(8, 12), nullptr);
  EXPECT_EQ(arena_->TryAllocate(8, 8192), nullptr);
  EXPECT_EQ(arena_->TryAllocate(kLimit + 1, 8), nullptr);
}

// R1: what a thread's cache keeps is room when it is needed.
TEST_P(ArenaConformance, FreedSmallBlocksAreRoomForAll) {
  std::vector<void*> blocks;
  while (void* const block = arena_->TryAllocate(500, 8)) blocks.push_back(block);
  EXPECT_EQ(blocks.size(), kLimit / 512);
  EXPECT_EQ(arena_->stats().allocated_bytes, blocks.size() * 500);
  for (void* const block : blocks) arena_->Free(block, 500);
  ASSERT_OK_AND_ASSIGN(void* const all, arena_->Allocate(kLimit, 8));
  arena_->Free(all, kLimit);
}

TEST_P(ArenaConformance, ThreadsFreeEachOthersBlocks) {
  constexpr int kThreads = 4;
  Mutex mutex;
  std::vector<Block> shared;
  const auto work = [&](uint32_t seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 20'000; ++i) {
      const size_t bytes = 1 + random() % 600;
      void* const block = arena_->TryAllocate(bytes, size_t{1} << (random() % 7));
      ASSERT_NE(block, nullptr);
      Block mine = {BytesOf(block, bytes), static_cast<std::byte>(random())};
      std::memset(block, static_cast<int>(mine.value), bytes);
      {
        const MutexLock lock(mutex);
        if (shared.size() < 1000) {
          shared.push_back(mine);
          continue;
        }
        std::swap(mine, shared[random() % shared.size()]);
      }
      ASSERT_TRUE(mine.IsIntact());
      arena_->Free(mine.bytes.data(), mine.bytes.size());
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
  size_t bytes = 0;
  for (const Block& block : shared) bytes += block.bytes.size();
  EXPECT_EQ(arena_->stats().live_allocations, shared.size());
  EXPECT_EQ(arena_->stats().allocated_bytes, bytes);
  for (const Block& block : shared) {
    EXPECT_TRUE(block.IsIntact());
    arena_->Free(block.bytes.data(), block.bytes.size());
  }
}

TEST_P(ArenaConformance, ThreadsComeAndGo) {
  std::vector<void*> left;
  for (size_t i = 0; i < 1000; ++i) {
    std::thread([&] {
      for (void* const block : left) arena_->Free(block, 48);
      left.clear();
      for (int n = 0; n < 20; ++n) {
        left.push_back(arena_->TryAllocate(48, 8));
        arena_->Free(arena_->TryAllocate(200, 8), 200);
      }
    }).join();
    ASSERT_EQ(arena_->stats().live_allocations, 20u);
    ASSERT_EQ(arena_->stats().allocated_bytes, 20 * 48u);
  }
  for (void* const block : left) arena_->Free(block, 48);
  // Nothing lies in a cache that is gone.
  ASSERT_OK_AND_ASSIGN(void* const all, arena_->Allocate(kLimit, 8));
  arena_->Free(all, kLimit);
}

// R6: neither blocks, nor memory, nor what is kept for each thread.
TEST_P(ArenaConformance, ShortThreadsLeaveNothingBehind) {
  const int threads = kSlowness == 1 ? 10'000 : 1000;
  const auto run = [&](int count) {
    for (int i = 0; i < count; ++i) {
      std::thread([&] {
        for (const size_t bytes : {size_t{24}, size_t{200}, size_t{500}, size_t{3000}, size_t{20'000}}) {
          void* const block = arena_->TryAllocate(bytes, 8);
          ASSERT_NE(block, nullptr);
          std::memset(block, 1, bytes);
          arena_->Free(block, bytes);
        }
      }).join();
    }
  };
  run(threads / 10);
  const size_t region = ResidentBytes();
  const Sample early = Sample::Now();
  run(threads);
  Sample late = Sample::Now();
  late.world = World::Awaited(early.world);
  EXPECT_EQ(Growth(early, late, threads), "");
  EXPECT_LE(ResidentBytes(), region + 1'000'000);
  EXPECT_EQ(arena_->stats().live_allocations, 0u);
  EXPECT_EQ(arena_->stats().allocated_bytes, 0u);
}

// Two arenas of one thread never hand out each other's blocks.
TEST_P(ArenaConformance, ArenasDoNotMix) {
  ASSERT_OK_AND_ASSIGN(Region region, Region::Create("other", WindowBytesFor(kLimit), Sharing::kManyWriters));
  const RegionWindow window = {
      .region = std::make_shared<const Region>(std::move(region)), .offset = 0, .bytes = WindowBytesFor(kLimit)};
  ASSERT_OK_AND_ASSIGN(const auto other, GetParam()(window, kLimit, {}));
  for (int i = 0; i < 1000; ++i) {
    const size_t bytes = 1 + i % 600;
    ASSERT_OK_AND_ASSIGN(void* const here, arena_->Allocate(bytes, 8));
    ASSERT_OK_AND_ASSIGN(void* const there, other->Allocate(bytes, 8));
    EXPECT_TRUE(region_->Contains(here));
    EXPECT_TRUE(window.region->Contains(there));
    arena_->Free(here, bytes);
    other->Free(there, bytes);
  }
}

TEST_P(ArenaConformance, AllMemoryGoesBackAfterItWasIdle) {
  if (Quarantine::kIsOn) GTEST_SKIP() << "freed blocks are kept for the address sanitizer";
  arena_->SetDecay(absl::Milliseconds(1));
  for (int i = 0; i < 3; ++i) {
    const size_t before = ResidentBytes();
    EXPECT_FALSE(arena_->IsIdle()) << "it was not used since";
    Use(*arena_);
    EXPECT_GT(ResidentBytes(), before);
    WaitUntilIdle(*arena_);
    arena_->Purge(/*all=*/true);
    EXPECT_EQ(ResidentBytes(), before);
  }
}

TEST_P(ArenaConformance, WhatIsLiveIsNotPurged) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < 1000; ++i) {
    const size_t bytes = i * 30;
    blocks.push_back({BytesOf(arena_->TryAllocate(bytes + 1, 8), bytes + 1), static_cast<std::byte>(i)});
    std::memset(blocks[i].bytes.data(), static_cast<int>(i), bytes + 1);
  }
  Use(*arena_);
  arena_->Purge(/*all=*/true);
  for (const Block& block : blocks) {
    EXPECT_TRUE(block.IsIntact());
    arena_->Free(block.bytes.data(), block.bytes.size());
  }
}

TEST_P(ArenaConformance, KeepsMemoryForItsNextUse) {
  for (const absl::Duration decay : {absl::Hours(24), absl::InfiniteDuration()}) {
    Make(kLimit);
    arena_->SetDecay(decay);
    const size_t before = ResidentBytes();
    Use(*arena_);
    EXPECT_FALSE(arena_->IsIdle());
    arena_->Purge(/*all=*/false);
    EXPECT_GT(ResidentBytes(), before + 1'000'000);
  }
}

TEST_P(ArenaConformance, WithoutADecayNothingIsKept) {
  if (Quarantine::kIsOn) GTEST_SKIP() << "freed blocks are kept for the address sanitizer";
  arena_->SetDecay(absl::ZeroDuration());
  const size_t before = ResidentBytes();
  for (const size_t bytes : {size_t{1000}, size_t{30'000}, size_t{300'000}, size_t{3'000'000}}) {
    ASSERT_OK_AND_ASSIGN(void* const block, arena_->Allocate(bytes, 8));
    std::memset(block, 1, bytes);
    EXPECT_GT(ResidentBytes(), before);
    arena_->Free(block, bytes);
    EXPECT_EQ(ResidentBytes(), before) << bytes;
  }
  Use(*arena_);
  arena_->Purge(/*all=*/true);  // What the thread's cache holds.
  EXPECT_EQ(ResidentBytes(), before);
}

TEST_P(ArenaConformance, TheAddressSanitizerSeesUseAfterFree) {
  if (!Quarantine::kIsOn) GTEST_SKIP() << "only the address sanitizer sees it: --config=asan";
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{512}, size_t{10'000}, size_t{300'000}}) {
    auto* const block = static_cast<volatile char*>(arena_->TryAllocate(bytes, 8));
    ASSERT_NE(block, nullptr);
    block[bytes - 1] = 1;
    arena_->Free(const_cast<char*>(block), bytes);
    EXPECT_DEATH(block[bytes - 1] = 2, "use-after-poison") << bytes;
  }
  // Blocks that leave the quarantine are as good as new.
  for (int i = 0; i < 1000; ++i) {
    void* const block = arena_->TryAllocate(10'000, 8);
    ASSERT_NE(block, nullptr);
    std::memset(block, 1, 10'000);
    arena_->Free(block, 10'000);
  }
}

// The peer may still read what was lent to it.
TEST_P(ArenaConformance, DestroyingItTouchesNoBlock) {
  std::vector<Block> blocks;
  for (const size_t bytes : {size_t{100}, size_t{10'000}, size_t{300'000}, size_t{20'000'000}}) {
    ASSERT_OK_AND_ASSIGN(void* const block, arena_->Allocate(bytes, 8));
    blocks.push_back({BytesOf(block, bytes), static_cast<std::byte>(bytes)});
    std::memset(block, static_cast<int>(blocks.back().value), bytes);
  }
  arena_.reset();
  for (const Block& block : blocks) EXPECT_TRUE(block.IsIntact()) << block.bytes.size();
}

// Many are made and destroyed in a process's life, with blocks in them.
TEST_P(ArenaConformance, ArenasComeAndGo) {
  ASSERT_OK_AND_ASSIGN(Region region, Region::Create("many", WindowBytesFor(kLimit), Sharing::kManyWriters));
  const auto shared = std::make_shared<const Region>(std::move(region));
  for (int i = 0; i < 5000; ++i) {
    ASSERT_OK(shared->Punch(0, shared->size()));
    ASSERT_OK_AND_ASSIGN(const auto arena,
                         GetParam()({.region = shared, .offset = 0, .bytes = shared->size()}, kLimit, {}));
    ASSERT_OK(arena->Allocate(100, 8));
    ASSERT_OK(arena->Allocate(100'000, 8));
  }
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
