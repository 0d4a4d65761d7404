// What all kinds of arena do is in arena_conformance.cc; here, how the parts are put together.

#include "ipc_shm/internal/paged_arena.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_shm/process_limit.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kLimit = size_t{8} << 20;

// Has no blocks, and writes down what it was asked for.
class EmptyHeap final : public SmallHeap {
 public:
  explicit EmptyHeap(std::string& diary) : diary_(diary) {}
  ~EmptyHeap() override { diary_ += "gone"; }
  void* Allocate(size_t bytes, size_t alignment, bool zeroed) override {
    diary_ += std::to_string(bytes) + "/" + std::to_string(alignment) + (zeroed ? "/zeroed " : " ");
    return nullptr;
  }
  void Free(void* /*block*/, size_t /*bytes*/) override { diary_ += "free "; }

 private:
  std::string& diary_;
};

RegionWindow Window(size_t bytes) {
  absl::StatusOr<Region> region = Region::Create("paged", bytes, Sharing::kManyWriters);
  return {.region = std::make_shared<const Region>(*std::move(region)), .offset = 0, .bytes = bytes};
}

// R1
TEST(PagedArenaTest, ArenasOfAProcessHaveALimitTogether) {
  std::string diary;
  const auto make = [&] {
    return *PagedArena::Create(Window(WindowBytesFor(kLimit)), kLimit,
                               [&](PageRuns&) { return std::make_unique<EmptyHeap>(diary); });
  };
  constexpr size_t kBlock = kLimit / 2;
  auto one = make();
  const auto other = make();
  shm::SetProcessLimit(kLimit);
  ASSERT_OK(one->Allocate(kBlock, 8));
  ASSERT_OK(other->Allocate(kBlock, 8));
  EXPECT_THAT(other->Allocate(kBlock, 8),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("8388608 of 8388608 are taken"), HasSubstr("shm::SetProcessLimit"))));
  one.reset();  // Its block ends with its region.
  ASSERT_OK_AND_ASSIGN(void* const block, other->Allocate(kBlock, 8));
  shm::SetProcessLimit(std::numeric_limits<uint64_t>::max());
  other->Free(block, kBlock);
  EXPECT_EQ(shm::GetProcessUsage().used_bytes, kBlock);
}

TEST(PagedArenaTest, SmallBlocksComeFromTheHeap) {
  std::string diary;
  {
    ASSERT_OK_AND_ASSIGN(const auto arena, PagedArena::Create(Window(WindowBytesFor(kLimit)), kLimit, [&](PageRuns&) {
                           return std::make_unique<EmptyHeap>(diary);
                         }));
    EXPECT_THAT(arena->Allocate(shm::Arena::kLargeBytes - 1, 64), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_THAT(arena->AllocateZeroed(7, 8), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_EQ(arena->stats().allocated_bytes, 0u);
    EXPECT_EQ(arena->stats().live_allocations, 0u);
    ASSERT_OK_AND_ASSIGN(void* const large, arena->Allocate(shm::Arena::kLargeBytes, 64));
    arena->Free(large, shm::Arena::kLargeBytes);
  }
  // Each is asked for again before it is refused. A block of a size that the front cache holds is a whole step, and is
  // asked for with others first.
  EXPECT_EQ(diary, "1048575/64 1048575/64 16/16 16/16 16/16 gone");
}

TEST(PagedArenaTest, RefusesAWindowThatIsTooSmall) {
  std::string diary;
  EXPECT_THAT(PagedArena::Create(Window(WindowBytesFor(kLimit) - PageRuns::kUnitBytes), kLimit,
                                 [&](PageRuns&) { return std::make_unique<EmptyHeap>(diary); }),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("an arena of 8388608 bytes needs a window of")));
  EXPECT_EQ(diary, "");
}

TEST(PagedArenaTest, AHeapThatCannotBeMadeIsAnError) {
  EXPECT_THAT(PagedArena::Create(Window(WindowBytesFor(kLimit)), kLimit,
                                 [](PageRuns&) -> absl::StatusOr<std::unique_ptr<SmallHeap>> {
                                   return absl::ResourceExhaustedError("no heap");
                                 }),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("no heap")));
}

// Blocks one behind the other, none of them used again.
class BumpHeap final : public SmallHeap {
 public:
  explicit BumpHeap(PageRuns& runs) {
    bool is_zero;
    room_ = runs.Allocate(kBumpBytes, &is_zero);
  }
  void* Allocate(size_t bytes, size_t alignment, bool /*zeroed*/) override {
    const MutexLock lock(mutex_);
    void* block = room_.data();
    size_t left = room_.size();
    if (std::align(alignment, bytes, block, left) == nullptr) return nullptr;
    live_.insert(block);
    room_ = room_.last(left - bytes);
    return block;
  }
  void Free(void* block, size_t /*bytes*/) override { EXPECT_TRUE(FreeIfLive(block, 0)); }
  bool FreeIfLive(void* block, size_t /*bytes*/) override {
    const MutexLock lock(mutex_);
    return live_.erase(block) == 1;
  }

 private:
  static constexpr size_t kBumpBytes = size_t{16} << 20;

  Mutex mutex_;
  absl::Span<std::byte> room_ ABSL_GUARDED_BY(mutex_);
  std::set<void*> live_ ABSL_GUARDED_BY(mutex_);
};

// The arenas of both sides of a region.
class TwoSidesTest : public ::testing::Test {
 protected:
  static constexpr size_t kHeaderBytes = ArenaRegistry::kHeaderBytes;

  void SetUp() override {
    const size_t bytes = WindowBytesFor(kLimit);
    ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::Anywhere(kHeaderBytes + 2 * bytes));
    ASSERT_OK_AND_ASSIGN(Region region, Region::Create("sides", Sharing::kManyWriters, std::move(place)));
    const auto shared = std::make_shared<const Region>(std::move(region));
    const RegionWindow a = {.region = shared, .offset = kHeaderBytes, .bytes = bytes};
    const RegionWindow b = {.region = shared, .offset = kHeaderBytes + bytes, .bytes = bytes};
    auto* const headers = new (shared->data()) ArenaHeader[2];
    a_ = Create(a, {.header = &headers[0], .peer_header = &headers[1], .peer_window = b});
    b_ = Create(b, {.header = &headers[1], .peer_header = &headers[0], .peer_window = a});
  }

  static std::unique_ptr<PagedArena> Create(RegionWindow window, ArenaPlace place) {
    auto arena = PagedArena::Create(
        std::move(window), kLimit, [](PageRuns& runs) { return std::make_unique<BumpHeap>(runs); }, std::move(place));
    EXPECT_OK(arena);
    return *std::move(arena);
  }

  std::unique_ptr<PagedArena> a_;
  std::unique_ptr<PagedArena> b_;
};

TEST_F(TwoSidesTest, BlocksOfTheOtherSideGoBackToIt) {
  std::vector<std::pair<void*, size_t>> blocks;
  for (const size_t bytes : {size_t{1}, size_t{16}, size_t{33}, size_t{512}, size_t{513}, size_t{100'000},
                             shm::Arena::kLargeBytes, shm::Arena::kLargeBytes + 1}) {
    blocks.emplace_back(b_->TryAllocate(bytes, 8), bytes);
    ASSERT_NE(blocks.back().first, nullptr) << bytes;
  }
  const size_t allocated = b_->stats().allocated_bytes;
  for (const auto& [block, bytes] : blocks) {
    a_->Free(block, bytes);
  }
  EXPECT_GT(allocated, 2 * shm::Arena::kLargeBytes);
  EXPECT_EQ(b_->stats().allocated_bytes, 0u);
  EXPECT_EQ(b_->stats().live_allocations, 0u);
  EXPECT_EQ(a_->stats().live_allocations, 0u);
}

TEST_F(TwoSidesTest, WhatTheOtherSideFreedIsRoomAgain) {
  for (int i = 0; i < 100; ++i) {
    void* const block = b_->TryAllocate(kLimit, 8);
    ASSERT_NE(block, nullptr) << i;
    a_->Free(block, kLimit);
  }
  std::vector<void*> blocks;
  while (void* const block = b_->TryAllocate(64, 8)) blocks.push_back(block);
  for (void* const block : blocks) a_->Free(block, 64);
  EXPECT_NE(b_->TryAllocate(64, 8), nullptr);
}

// H4: neither a lie about a block, nor one twice, nor an address of nothing does harm.
TEST_F(TwoSidesTest, LiesAreNotBelieved) {
  void* const small = b_->TryAllocate(64, 8);
  void* const large = b_->TryAllocate(2 * shm::Arena::kLargeBytes, 8);
  ASSERT_NE(small, nullptr);
  ASSERT_NE(large, nullptr);
  a_->Free(static_cast<std::byte*>(small) + 16, 64);
  b_->Collect();
  a_->Free(large, shm::Arena::kLargeBytes);
  b_->Collect();
  a_->Free(static_cast<std::byte*>(large) + PageRuns::kUnitBytes, shm::Arena::kLargeBytes);
  b_->Collect();
  a_->Free(small, 3 * shm::Arena::kLargeBytes);
  b_->Collect();
  int outside = 0;
  a_->Free(&outside, 64);
  EXPECT_EQ(b_->stats().live_allocations, 2u);
  EXPECT_EQ(b_->stats().allocated_bytes, 64 + 2 * shm::Arena::kLargeBytes);
  for (int i = 0; i < 2; ++i) {
    a_->Free(small, 64);
    b_->Collect();
    a_->Free(large, 2 * shm::Arena::kLargeBytes);
    EXPECT_EQ(b_->stats().live_allocations, 0u);
  }
  EXPECT_NE(b_->TryAllocate(kLimit, 8), nullptr);
}

// As two processes do it, where the sanitizers see both.
TEST_F(TwoSidesTest, OneSideAllocatesWhileTheOtherFrees) {
  std::atomic<void*> handed{nullptr};
  std::thread other([&] {
    for (int i = 0; i < 10'000; ++i) {
      void* block;
      while ((block = handed.exchange(nullptr)) == nullptr) std::this_thread::yield();
      EXPECT_EQ(*static_cast<int*>(block), i);
      a_->Free(block, 40);
    }
  });
  for (int i = 0; i < 10'000; ++i) {
    void* const block = b_->TryAllocate(40, 8);
    ASSERT_NE(block, nullptr);
    *static_cast<int*>(block) = i;
    handed.store(block);
    while (handed.load() != nullptr) std::this_thread::yield();
  }
  other.join();
  EXPECT_EQ(b_->stats().live_allocations, 0u);
  EXPECT_EQ(b_->stats().allocated_bytes, 0u);
}

TEST_F(TwoSidesTest, HeadersLeadToTheOwner) {
  EXPECT_EQ(ArenaRegistry::Find(a_->header()), a_.get());
  EXPECT_EQ(ArenaRegistry::Find(b_->header()), b_.get());
}

}  // namespace
}  // namespace ipc::internal
