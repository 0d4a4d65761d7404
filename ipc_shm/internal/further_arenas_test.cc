#include "ipc_shm/internal/further_arenas.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/internal/peer_regions.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/fd.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Takes two regions.
class FakeExchange final : public RegionExchange {
 public:
  absl::StatusOr<uint32_t> Announce(const OfferedRegion& region, uint64_t /*address*/) override {
    if (announced.size() == 2) return absl::ResourceExhaustedError("that is all");
    announced.push_back(region.bytes);
    return static_cast<uint32_t>(SessionMemory::kFirstLaterRegion + announced.size() - 1);
  }
  bool IsAnnounced(uint32_t /*number*/) override { return is_open; }
  void TakeIn() override {}
  absl::StatusOr<FdView> ReleasesFd() override { return absl::UnimplementedError("no descriptor"); }
  void QuietReleases() override {}
  void SignalReleases() override {}

  std::vector<uint64_t> announced;
  bool is_open = true;
};

// Nobody allocates in it.
class FullArena final : public shm::Arena {
 public:
  absl::StatusOr<void*> Allocate(size_t, size_t) override { return absl::ResourceExhaustedError("full"); }
  absl::StatusOr<void*> AllocateZeroed(size_t, size_t) override { return absl::ResourceExhaustedError("full"); }
  void Free(void*, size_t) override {}
  size_t Shrink(void*, size_t bytes, size_t) override { return bytes; }
  shm::ArenaStats stats() const override { return {}; }
  bool IsIdle() const override { return false; }
  void Purge(bool) override {}
  const ArenaHeader* header() const override { return nullptr; }
};

std::shared_ptr<LendingArena> AnArena() { return LendingArena::Create(std::make_unique<FullArena>(), {}, {}, {}); }

class FurtherArenasTest : public ::testing::Test {
 protected:
  absl::Status Share(const std::shared_ptr<LendingArena>& arena) { return arenas_.Share(arena, window_, FdView(0)); }

  const RegionWindow window_ = {
      .region = std::make_shared<const Region>(*Region::Create("test", 4096, Sharing::kManyWriters)),
      .offset = 0,
      .bytes = 4096};
  std::shared_ptr<FakeExchange> exchange_ = std::make_shared<FakeExchange>();
  FurtherArenas arenas_{exchange_};
};

TEST_F(FurtherArenasTest, AreSharedOnce) {
  const auto server = AnArena(), one = AnArena(), two = AnArena(), three = AnArena();
  arenas_.AddServers(server, window_);
  EXPECT_OK(Share(one));
  EXPECT_OK(Share(two));
  EXPECT_OK(Share(one));
  EXPECT_OK(Share(server));
  EXPECT_THAT(exchange_->announced, ElementsAre(4096, 4096));
  EXPECT_THAT(arenas_.NumberOf(*server), IsOkAndHolds(kServerRegion));
  EXPECT_THAT(arenas_.NumberOf(*one), IsOkAndHolds(kServerRegion + 1));
  EXPECT_THAT(arenas_.NumberOf(*two), IsOkAndHolds(kServerRegion + 2));
  EXPECT_THAT(Share(three), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("that is all")));
  EXPECT_THAT(arenas_.NumberOf(*three), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("(Share)")));
}

TEST_F(FurtherArenasTest, AreSharedOnceByManyThreads) {
  const auto arena = AnArena();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      EXPECT_OK(Share(arena));
      EXPECT_THAT(arenas_.NumberOf(*arena), IsOkAndHolds(kServerRegion + 1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(exchange_->announced, ElementsAre(4096));
}

TEST_F(FurtherArenasTest, NothingIsLentBeforeThePeerIsTold) {
  exchange_->is_open = false;
  const auto arena = AnArena();
  ASSERT_OK(Share(arena));
  EXPECT_THAT(arenas_.NumberOf(*arena), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("lend it later")));
  exchange_->is_open = true;
  EXPECT_OK(arenas_.NumberOf(*arena));
  exchange_->is_open = false;
  EXPECT_OK(arenas_.NumberOf(*arena)) << "it was told";
}

TEST_F(FurtherArenasTest, NothingIsSharedAfterTheSession) {
  exchange_ = nullptr;
  EXPECT_THAT(Share(AnArena()), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(FurtherArenasTest, LiveAsLongAsTheyAreShared) {
  std::weak_ptr<LendingArena> watched;
  {
    FurtherArenas arenas(exchange_);
    const auto arena = AnArena();
    watched = arena;
    ASSERT_OK(arenas.Share(arena, window_, FdView(0)));
  }
  EXPECT_TRUE(watched.expired());
  {
    auto arena = AnArena();
    watched = arena;
    ASSERT_OK(Share(std::move(arena)));
  }
  EXPECT_FALSE(watched.expired());
  int windows = 0;
  arenas_.ForEach([&](const RegionWindow&) { ++windows; });
  EXPECT_EQ(windows, 1);
}

}  // namespace
}  // namespace ipc::internal
