#include "ipc_shm_classic/arena.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ipc_shm/arena_conformance.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"

SLUICE_INSTANTIATE_ARENA_CONFORMANCE(Classic, ipc::shm::classic::CreateArena);

namespace ipc::testing {
namespace {

using ::ipc::internal::ArenaHeader;
using ::ipc::internal::ArenaRegistry;
using ::ipc::internal::PagedArena;
using ::ipc::internal::RegionWindow;
using ::ipc::internal::Reservation;
using ::ipc::internal::WindowBytesFor;

constexpr size_t kLimit = size_t{256} << 20;
constexpr size_t kBytes = 48;

// Of both sides' headers and windows.
constexpr size_t kRegionBytes = ArenaRegistry::kHeaderBytes + 2 * WindowBytesFor(kLimit);

std::unique_ptr<PagedArena> ArenaOf(const std::shared_ptr<const Region>& region, size_t side) {
  auto* const headers = reinterpret_cast<ArenaHeader*>(region->data());
  const size_t bytes = WindowBytesFor(kLimit);
  const RegionWindow windows[] = {{.region = region, .offset = ArenaRegistry::kHeaderBytes, .bytes = bytes},
                                  {.region = region, .offset = ArenaRegistry::kHeaderBytes + bytes, .bytes = bytes}};
  auto arena = shm::classic::CreateArena(
      windows[side], kLimit,
      {.header = &headers[side], .peer_header = &headers[1 - side], .peer_window = windows[1 - side]});
  EXPECT_OK(arena);
  return *std::move(arena);
}

class ClassicSidesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::Anywhere(kRegionBytes));
    ASSERT_OK_AND_ASSIGN(Region region, Region::Create("classic", Sharing::kManyWriters, std::move(place)));
    region_ = std::make_shared<const Region>(std::move(region));
    arena_ = ArenaOf(region_, 0);
  }

  Child StartPeer() {
    return Child::Start("peer", {absl::StrCat(reinterpret_cast<uintptr_t>(region_->data()))},
                        {.environment = {}, .inherited = region_->fd()});
  }

  std::shared_ptr<const Region> region_;
  std::unique_ptr<PagedArena> arena_;
};

// Frees the blocks of the other side whose addresses it hears, and says when it is done.
SLUICE_CHILD_ROLE(peer) {
  uint64_t address = 0;
  if (!absl::SimpleAtoi(arguments[0], &address)) return 1;
  absl::StatusOr<Reservation> place = Reservation::At(address, kRegionBytes);
  if (!place.ok()) return 2;
  absl::StatusOr<Region> region =
      Region::Map(InheritedFd(), Access::kReadWrite, Sharing::kManyWriters, *std::move(place));
  if (!region.ok()) return 3;
  const std::unique_ptr<PagedArena> arena = ArenaOf(std::make_shared<const Region>(*std::move(region)), 1);
  for (std::string line = HearParent(); line != "end"; line = HearParent()) {
    // The first word of each block leads to the next.
    if (!absl::SimpleAtoi(line, &address)) return 4;
    while (address != 0) {
      void* const block = reinterpret_cast<void*>(address);
      std::memcpy(&address, block, sizeof(address));
      arena->Free(block, kBytes);
      // Its own are no business of the other side.
      void* const own = arena->TryAllocate(kBytes, 8);
      if (own == nullptr || own == block) return 5;
      arena->Free(own, kBytes);
    }
    TellParent("done");
  }
  return 0;
}

TEST_F(ClassicSidesTest, AnotherProcessFreesBlocks) {
  Child peer = StartPeer();
  for (int round = 0; round < 10; ++round) {
    uint64_t last = 0;
    for (int i = 0; i < 10'000; ++i) {
      void* const block = arena_->TryAllocate(kBytes, 8);
      ASSERT_NE(block, nullptr);
      std::memcpy(block, &last, sizeof(last));
      last = reinterpret_cast<uintptr_t>(block);
    }
    EXPECT_EQ(arena_->stats().live_allocations, 10'000u);
    peer.Tell(absl::StrCat(last));
    ASSERT_EQ(peer.Hear(), "done");
    EXPECT_EQ(arena_->stats().live_allocations, 0u);
    EXPECT_EQ(arena_->stats().allocated_bytes, 0u);
  }
  peer.Tell("end");
  EXPECT_EQ(peer.Wait(), 0);
}

// K5
TEST_F(ClassicSidesTest, APeerThatDiesWhileItFreesHarmsNobody) {
  Child peer = StartPeer();
  uint64_t last = 0;
  std::vector<void*> kept;
  for (int i = 0; i < 200'000; ++i) {
    void* const block = arena_->TryAllocate(kBytes, 8);
    ASSERT_NE(block, nullptr);
    std::memcpy(block, &last, sizeof(last));
    last = reinterpret_cast<uintptr_t>(block);
    kept.push_back(arena_->TryAllocate(kBytes, 8));
    std::memset(kept.back(), 0x5c, kBytes);
  }
  peer.Tell(absl::StrCat(last));
  while (arena_->stats().live_allocations == 400'000) std::this_thread::yield();
  peer.Kill();
  EXPECT_GE(arena_->stats().live_allocations, kept.size());
  for (void* const block : kept) {
    EXPECT_EQ(std::count(static_cast<char*>(block), static_cast<char*>(block) + kBytes, 0x5c),
              static_cast<ptrdiff_t>(kBytes));
    arena_->Free(block, kBytes);
  }
  void* const block = arena_->TryAllocate(kLimit / 2, 8);
  EXPECT_NE(block, nullptr);
}

// H4: whatever the peer wrote, the arena ends, and what was scribbled into the stack is not believed.
TEST_F(ClassicSidesTest, AScribbledRegionIsClosed) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_NE(arena_->TryAllocate(kBytes, 8), nullptr);
    EXPECT_NE(arena_->TryAllocate(100'000, 8), nullptr);
  }
  std::mt19937_64 random(1);
  auto* const words = reinterpret_cast<std::atomic<uint64_t>*>(region_->data());
  for (size_t i = 0; i < (size_t{12} << 20) / sizeof(uint64_t); ++i) {
    // Half of them may be addresses in the region.
    const uint64_t any = random();
    words[i].store(i % 2 == 0 ? any : reinterpret_cast<uintptr_t>(region_->data()) + any % kRegionBytes / 16 * 16,
                   std::memory_order_relaxed);
  }
  words[0].store(reinterpret_cast<uintptr_t>(region_->data()) + ArenaRegistry::kHeaderBytes + 4096);
  arena_->Collect();
  EXPECT_EQ(arena_->stats().limit_bytes, kLimit);
  arena_.reset();
}

TEST_F(ClassicSidesTest, MemoryGoesBackAfterFrees) {
  const size_t before = region_->ResidentBytes().value_or(0);
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      std::vector<std::pair<void*, size_t>> blocks;
      for (size_t built = 0; built < 50'000'000; built += blocks.back().second) {
        const size_t bytes = 16 + random() % 1000;
        blocks.emplace_back(arena_->TryAllocate(bytes, 8), bytes);
        ASSERT_NE(blocks.back().first, nullptr);
        std::memset(blocks.back().first, 1, bytes);
      }
      std::shuffle(blocks.begin(), blocks.end(), random);
      for (const auto& [block, bytes] : blocks) arena_->Free(block, bytes);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(arena_->stats().live_allocations, 0u);
  // Before it refuses, it gives up what it keeps of freed blocks: in sanitized builds, those that are poisoned.
  EXPECT_EQ(arena_->TryAllocate(kLimit + 1, 8), nullptr);
  // But for one empty chunk of the heap, and the headers.
  EXPECT_LE(region_->ResidentBytes().value_or(kLimit), before + (size_t{5} << 20));
}

}  // namespace
}  // namespace ipc::testing
