#include "ipc_shm/internal/return_stack.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::Child;
using ::ipc::testing::KillAt;
using ::ipc::testing::OsEnvironment;
using ::ipc::testing::StopAt;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr size_t kHeaderBytes = size_t{64} << 10;
constexpr size_t kWindowBytes = size_t{1} << 20;
constexpr size_t kBlockBytes = 48;
constexpr size_t kBlocks = 1000;
constexpr size_t kNoBound = kWindowBytes;

ArenaHeader& HeaderOf(const Region& region) { return *reinterpret_cast<ArenaHeader*>(region.data()); }
std::byte* BlockOf(const Region& region, size_t i) { return region.data() + kHeaderBytes + i * kBlockBytes; }

class ReturnStackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::Anywhere(kHeaderBytes + kWindowBytes));
    ASSERT_OK_AND_ASSIGN(Region region, Region::Create("returns", Sharing::kManyWriters, std::move(place)));
    region_ = std::make_shared<const Region>(std::move(region));
    header_ = new (region_->data()) ArenaHeader;
    window_ = {.region = region_, .offset = kHeaderBytes, .bytes = kWindowBytes};
  }

  // Which blocks come back, in their order in memory.
  std::vector<size_t> Take(size_t max_blocks = kNoBound) {
    std::vector<size_t> taken;
    for (const ReturnedBlock& block : ReturnStack::BlocksOf(ReturnStack::TakeAll(*header_), window_, max_blocks)) {
      EXPECT_EQ(block.bytes, kBlockBytes);
      taken.push_back((block.address - BlockOf(*region_, 0)) / kBlockBytes);
    }
    std::sort(taken.begin(), taken.end());
    return taken;
  }

  void Push(size_t i) { ReturnStack::Push(*header_, BlockOf(*region_, i), kBlockBytes); }

  // What a peer may write into the link of block `i`.
  void Scribble(size_t i, uint64_t next, uint64_t bytes) {
    reinterpret_cast<std::atomic<uint64_t>*>(BlockOf(*region_, i))[0].store(next, std::memory_order_relaxed);
    reinterpret_cast<std::atomic<uint64_t>*>(BlockOf(*region_, i))[1].store(bytes, std::memory_order_relaxed);
  }

  Child StartPusher(const std::vector<testing::OsInstruction>& instructions) {
    return Child::Start("pusher", {absl::StrCat(region_->size()), absl::StrCat(reinterpret_cast<uintptr_t>(header_))},
                        {.environment = {OsEnvironment(instructions)}, .inherited = region_->fd()});
  }

  std::shared_ptr<const Region> region_;
  ArenaHeader* header_ = nullptr;
  RegionWindow window_;
};

// Another process pushes `kBlocks` blocks when it is told to.
SLUICE_CHILD_ROLE(pusher) {
  size_t bytes = 0;
  uint64_t address = 0;
  if (!absl::SimpleAtoi(arguments[0], &bytes) || !absl::SimpleAtoi(arguments[1], &address)) return 1;
  absl::StatusOr<Reservation> place = Reservation::At(address, bytes);
  if (!place.ok()) return 2;
  const absl::StatusOr<Region> region =
      Region::Map(testing::InheritedFd(), Access::kReadWrite, Sharing::kManyWriters, *std::move(place));
  if (!region.ok()) return 3;
  testing::TellParent("ready");
  if (testing::HearParent() != "go") return 4;
  for (size_t i = 0; i < kBlocks; ++i) ReturnStack::Push(HeaderOf(*region), BlockOf(*region, i), kBlockBytes);
  return 0;
}

TEST_F(ReturnStackTest, WhatWasPushedIsTakenOnce) {
  EXPECT_TRUE(ReturnStack::IsEmpty(*header_));
  EXPECT_THAT(Take(), IsEmpty());
  Push(1);
  Push(7);
  EXPECT_FALSE(ReturnStack::IsEmpty(*header_));
  EXPECT_THAT(Take(), ElementsAre(1, 7));
  EXPECT_TRUE(ReturnStack::IsEmpty(*header_));
  EXPECT_THAT(Take(), IsEmpty());
}

// H4
TEST_F(ReturnStackTest, GarbageEndsTheWalk) {
  const uint64_t base = reinterpret_cast<uintptr_t>(region_->data());
  const uint64_t end = base + region_->size();
  for (const uint64_t garbage : {uint64_t{1}, uint64_t{16}, ~uint64_t{0}, ~uint64_t{15}, base, end, end + 16, end - 8,
                                 base + kHeaderBytes - 16, base + kHeaderBytes + 8, uint64_t{0x5c5c5c5c5c5c5c5c}}) {
    header_->returned.store(garbage);
    EXPECT_THAT(Take(), IsEmpty()) << garbage;
    Push(0);
    Scribble(0, garbage, kBlockBytes);
    Push(1);
    EXPECT_THAT(Take(), ElementsAre(0, 1)) << garbage;
  }
  for (const uint64_t garbage : {uint64_t{0}, kWindowBytes + 1, ~uint64_t{0}, uint64_t{1} << 63}) {
    Push(0);
    Scribble(0, 0, garbage);
    Push(1);
    EXPECT_THAT(Take(), ElementsAre(1)) << garbage;
  }
}

// H4
TEST_F(ReturnStackTest, CirclesEndToo) {
  for (size_t i = 0; i < 10; ++i) Push(i);
  Scribble(0, reinterpret_cast<uintptr_t>(BlockOf(*region_, 5)), kBlockBytes);
  EXPECT_THAT(Take(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  Push(3);
  Scribble(3, reinterpret_cast<uintptr_t>(BlockOf(*region_, 3)), kBlockBytes);
  EXPECT_THAT(Take(), ElementsAre(3));
  for (size_t i = 0; i < 10; ++i) Push(i);
  EXPECT_EQ(Take(4).size(), 4u);
}

TEST_F(ReturnStackTest, ThreadsPushWhileTheOwnerTakes) {
  std::atomic<int> pushing{2};
  const auto push = [&](size_t first) {
    for (size_t i = first; i < 2 * kBlocks; i += 2) Push(i);
    pushing.fetch_sub(1);
  };
  std::thread even(push, 0);
  std::thread odd(push, 1);
  std::vector<size_t> all;
  bool is_last;
  do {
    is_last = pushing.load() == 0;
    const std::vector<size_t> taken = Take();
    all.insert(all.end(), taken.begin(), taken.end());
  } while (!is_last);
  even.join();
  odd.join();
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), 2 * kBlocks);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i);
}

TEST_F(ReturnStackTest, AnotherProcessPushes) {
  Child child = StartPusher({});
  ASSERT_EQ(child.Hear(), "ready");
  child.Tell("go");
  ASSERT_EQ(child.Wait(), 0);
  EXPECT_EQ(Take().size(), kBlocks);
}

// K5: a push counts once it is done, and a killed one harms nobody.
TEST_F(ReturnStackTest, APusherIsKilledInTheMiddle) {
  for (const auto& [point, pushed] : {std::pair("arena.return.linked", 99), std::pair("arena.return.pushed", 100)}) {
    Child child = StartPusher({KillAt(point, {.first = 100})});
    ASSERT_EQ(child.Hear(), "ready");
    child.Tell("go");
    EXPECT_EQ(child.Wait(), -9);
    EXPECT_EQ(Take().size(), static_cast<size_t>(pushed)) << point;
    Push(0);
    EXPECT_THAT(Take(), ElementsAre(0)) << point;
  }
}

// B3: the owner takes what is there, and the pusher goes on later.
TEST_F(ReturnStackTest, APusherIsStoppedInTheMiddle) {
  for (const auto& [point, pushed] : {std::pair("arena.return.linked", 99), std::pair("arena.return.pushed", 100)}) {
    Child child = StartPusher({StopAt(point, {.first = 100})});
    ASSERT_EQ(child.Hear(), "ready");
    child.Tell("go");
    child.WaitUntilStopped();
    EXPECT_EQ(Take().size(), static_cast<size_t>(pushed)) << point;
    Push(kBlocks);
    EXPECT_THAT(Take(), ElementsAre(kBlocks)) << point;
    child.Continue();
    EXPECT_EQ(child.Wait(), 0);
    EXPECT_EQ(Take().size(), kBlocks - pushed) << point;
  }
}

}  // namespace
}  // namespace ipc::internal
