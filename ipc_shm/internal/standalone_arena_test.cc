#include "ipc_shm/internal/standalone_arena.h"

#include <fcntl.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/arena_pages.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/arena_options.h"
#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/testing/placed_arena.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::FailCall;
using ::ipc::testing::OsTesting;
using ::ipc::testing::StatusIs;
using ::testing::HasSubstr;

constexpr uint64_t kLimit = uint64_t{8} << 20;
constexpr size_t kLargeBytes = size_t{2} << 20;

StandaloneArena::Kind KindOf(bool peers_write) {
  return {.create = testing::PlacedArena::MakeSimplest, .peers_write = peers_write};
}

absl::StatusOr<std::shared_ptr<const StandaloneArena>> Make(const shm::ArenaOptions& options = {},
                                                            uint64_t limit_bytes = kLimit) {
  return MakeOwnArena(KindOf(/*peers_write=*/true), limit_bytes, options);
}

size_t ResidentBytes(const StandaloneArena& arena) { return arena.lending->own().region->ResidentBytes().value_or(0); }

TEST(StandaloneArenaTest, LiesWhereEqualAddressesCanBe) {
  ASSERT_OK_AND_ASSIGN(const auto one, Make());
  ASSERT_OK_AND_ASSIGN(const auto other, Make());
  for (const auto& arena : {one, other}) {
    const Region& region = *arena->lending->own().region;
    EXPECT_EQ(region.size(), StandaloneArena::RegionBytesFor(kLimit));
    EXPECT_TRUE(AddressWindow::Fits(region.address(), region.size()));
    EXPECT_EQ(arena->lending->arena().stats().limit_bytes, kLimit);
  }
  EXPECT_NE(one->lending->own().region->address(), other->lending->own().region->address());
}

TEST(StandaloneArenaTest, PeersHaveTheAccessOfTheKind) {
  for (const bool peers_write : {false, true}) {
    ASSERT_OK_AND_ASSIGN(const auto arena, MakeOwnArena(KindOf(peers_write), kLimit, {}));
    EXPECT_EQ(fcntl(arena->for_peers.get(), F_GETFL) & O_ACCMODE, peers_write ? O_RDWR : O_RDONLY);
  }
}

TEST(StandaloneArenaTest, RefusesWhatNoArenaHas) {
  for (const uint64_t bytes : {uint64_t{0}, (uint64_t{1} << 37) + 1}) {
    EXPECT_THAT(Make({}, bytes), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 to 137438953472")));
  }
  EXPECT_THAT(Make({.decay = -absl::Seconds(1)}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("decay -1s")));
  EXPECT_THAT(Make({.pages = static_cast<ArenaPages>(7)}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("pages is 7")));
}

TEST(StandaloneArenaTest, KeepsFreedMemoryForItsDecay) {
  for (const absl::Duration decay : {absl::ZeroDuration(), absl::Hours(1)}) {
    ASSERT_OK_AND_ASSIGN(const auto made, Make({.decay = decay}));
    const size_t before = ResidentBytes(*made);
    shm::Arena& arena = made->lending->arena();
    ASSERT_OK_AND_ASSIGN(void* const block, arena.Allocate(kLargeBytes, 8));
    std::memset(block, 1, kLargeBytes);
    arena.Free(block, kLargeBytes);
    EXPECT_EQ(ResidentBytes(*made) == before, decay == absl::ZeroDuration()) << decay;
  }
}

// R1
TEST(StandaloneArenaTest, CommittedBlocksHaveTheirMemoryOrAreRefused) {
  ASSERT_OK_AND_ASSIGN(const auto made, Make({.pages = ArenaPages::kCommitted}));
  const size_t before = ResidentBytes(*made);
  shm::Arena& arena = made->lending->arena();
  {
    const OsTesting os({FailCall("Fallocate", ENOSPC, {.first = 1, .times = 2})});
    EXPECT_THAT(arena.Allocate(kLargeBytes, 8),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("more memory")));
  }
  ASSERT_OK_AND_ASSIGN(void* const block, arena.Allocate(kLargeBytes, 8));
  EXPECT_EQ(ResidentBytes(*made), before + kLargeBytes);
  arena.Free(block, kLargeBytes);
}

}  // namespace
}  // namespace ipc::internal
