#include "ipc_shm/internal/server_arenas.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/arena_options.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_shm/testing/memory_exchange.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::Received;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TempDir;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uint64_t kLimit = uint64_t{1} << 20;

// Nobody allocates here.
class NoHeap final : public SmallHeap {
 public:
  void* Allocate(size_t /*bytes*/, size_t /*alignment*/, bool /*zeroed*/) override { return nullptr; }
  void Free(void* /*block*/, size_t /*bytes*/) override {}
};

absl::StatusOr<std::unique_ptr<PagedArena>> CreateArena(RegionWindow window, size_t limit_bytes, ArenaPlace place) {
  return PagedArena::Create(
      std::move(window), limit_bytes, [](PageRuns&) { return std::make_unique<NoHeap>(); }, std::move(place));
}

ServerArenas ArenasOf(absl::string_view app, bool peers_write = true) {
  return ServerArenas({.create = CreateArena, .peers_write = peers_write}, app);
}

TEST(ServerArenasTest, EachAudienceHasOne) {
  const TempDir folder;
  ServerArenas arenas = ArenasOf("server");
  EXPECT_EQ(arenas.Find("client"), nullptr);
  ASSERT_OK_AND_ASSIGN(const auto one, arenas.Make("client", kLimit, folder.path()));
  ASSERT_OK_AND_ASSIGN(const auto again, arenas.Make("client", 2 * kLimit, folder.path()));
  ASSERT_OK_AND_ASSIGN(const auto other, arenas.Make("other", kLimit, folder.path()));
  EXPECT_EQ(one, again);
  EXPECT_NE(one, other);
  EXPECT_EQ(arenas.Find("client"), one);
  EXPECT_EQ(one->arena.lending->arena().stats().limit_bytes, kLimit);
  ASSERT_NE(one->arena.lending->arena().header(), nullptr);
  EXPECT_EQ(ArenaRegistry::Find(one->arena.lending->arena().header()), &one->arena.lending->arena());
}

TEST(ServerArenasTest, TheyHaveTheServersDecay) {
  const TempDir folder;
  for (const absl::Duration decay : {absl::ZeroDuration(), absl::Hours(1)}) {
    ServerArenas arenas({.create = CreateArena, .peers_write = true}, "server", shm::ArenaOptions{.decay = decay});
    ASSERT_OK_AND_ASSIGN(const auto made, arenas.Make("client", 4 * kLimit, folder.path()));
    shm::Arena& arena = made->arena.lending->arena();
    const size_t before = *made->arena.lending->own().region->ResidentBytes();
    ASSERT_OK_AND_ASSIGN(void* const block, arena.Allocate(2 * kLimit, 8));
    std::memset(block, 1, 2 * kLimit);
    arena.Free(block, 2 * kLimit);
    EXPECT_EQ(*made->arena.lending->own().region->ResidentBytes() == before, decay == absl::ZeroDuration());
  }
}

TEST(ServerArenasTest, NamesLeadToTheSameAddressesAgain) {
  const TempDir folder;
  uint64_t first;
  {
    ServerArenas arenas = ArenasOf("server");
    ASSERT_OK_AND_ASSIGN(const auto arena, arenas.Make("client", kLimit, folder.path()));
    first = arena->arena.lending->own().region->address();
    EXPECT_GE(first, AddressWindow::AddressOf(AddressWindow::kFirstNamedSlot));
  }
  ServerArenas next = ArenasOf("server");
  ASSERT_OK_AND_ASSIGN(const auto arena, next.Make("client", kLimit, folder.path()));
  EXPECT_EQ(arena->arena.lending->own().region->address(), first);
}

TEST(ServerArenasTest, WhoComesSecondIsToldBothNames) {
  const TempDir folder, elsewhere;
  ServerArenas first = ArenasOf("server");
  ASSERT_OK(first.Make("client", kLimit, folder.path()));
  // Of a server in another folder, as the lock of the app's name allows it.
  ServerArenas second = ArenasOf("server");
  EXPECT_THAT(second.Make("client", kLimit, folder.path()),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       AllOf(HasSubstr("addresses of the arena of server server for clients client"),
                             HasSubstr("are taken by the arena of server server for clients client"))));
  EXPECT_THAT(second.Make("client", kLimit, elsewhere.path()),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("server server for clients client"), HasSubstr("something else lies there"))));
}

TEST(ServerArenasTest, OneThatNoAddressesHoldIsRefused) {
  const TempDir folder;
  ServerArenas arenas = ArenasOf("server");
  EXPECT_THAT(arenas.Make("client", uint64_t{1} << 50, folder.path()),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("give it less")));
}

TEST(ServerArenasTest, AClientMapsWhatItIsOffered) {
  const TempDir folder;
  ServerArenas arenas = ArenasOf("server");
  ASSERT_OK_AND_ASSIGN(const auto arena, arenas.Make("client", kLimit, folder.path()));
  MemoryOffer offer = {.regions = {{.fd = arena->arena.for_peers, .bytes = 1}}, .places = {1}};  // The session's own.
  OfferServerArena(*arena, offer);
  ReceivedMemory received = Received(offer);
  ASSERT_OK_AND_ASSIGN(const RegionWindow window, MapServerArena(received, /*places=*/1, Access::kReadWrite));
  EXPECT_EQ(window.region, arena->arena.lending->own().region) << "the same process";
  EXPECT_EQ(window.offset, arena->arena.lending->own().offset);
  EXPECT_EQ(window.bytes, arena->arena.lending->own().bytes);
}

TEST(ServerArenasTest, AReadersDescriptorDoesNotWrite) {
  const TempDir folder;
  ServerArenas arenas = ArenasOf("server", /*peers_write=*/false);
  ASSERT_OK_AND_ASSIGN(const auto arena, arenas.Make("client", kLimit, folder.path()));
  ASSERT_OK_AND_ASSIGN(Fd received, Duplicate(arena->arena.for_peers));
  EXPECT_THAT(Region::Map(std::move(received), arena->arena.lending->own().region->size(), Access::kReadWrite,
                          Sharing::kManyWriters),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("access")));
}

// D2: what a hostile server may send.
TEST(ServerArenasTest, WhatIsNoArenaIsRefused) {
  const TempDir folder;
  ServerArenas arenas = ArenasOf("server");
  ASSERT_OK_AND_ASSIGN(const auto arena, arenas.Make("client", kLimit, folder.path()));
  MemoryOffer offer = {.regions = {{.fd = arena->arena.for_peers, .bytes = 1}}, .places = {1}};
  ReceivedMemory none = Received(offer);
  ASSERT_OK_AND_ASSIGN(const RegionWindow window, MapServerArena(none, /*places=*/1, Access::kReadWrite));
  EXPECT_EQ(window.region, nullptr);
  OfferServerArena(*arena, offer);
  ReceivedMemory no_place = Received(offer);
  no_place.places.pop_back();
  EXPECT_THAT(MapServerArena(no_place, /*places=*/1, Access::kReadWrite), StatusIs(absl::StatusCode::kDataLoss));
  ReceivedMemory too_small = Received(offer);
  too_small.regions[1].bytes = ArenaRegistry::kHeaderBytes;
  EXPECT_THAT(MapServerArena(too_small, /*places=*/1, Access::kReadWrite), StatusIs(absl::StatusCode::kDataLoss));
  OfferServerArena(*arena, offer);
  ReceivedMemory three = Received(offer);
  EXPECT_THAT(MapServerArena(three, /*places=*/1, Access::kReadWrite), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace ipc::internal
