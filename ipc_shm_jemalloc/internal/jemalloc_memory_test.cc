#include "ipc_shm_jemalloc/internal/jemalloc_memory.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/testing/memory_exchange.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::Received;
using ::ipc::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uint64_t kArena = uint64_t{1} << 20;
constexpr auto kLoss = absl::StatusCode::kDataLoss;

std::shared_ptr<SessionMemory> Create(Side side = Side::kClient) {
  return *JemallocKind::Factory()->Create({.side = side, .arena_bytes = kArena});
}

TEST(JemallocMemoryTest, HasItsDecay) { testing::ExpectHasItsDecay(*JemallocKind::Factory()); }

TEST(JemallocMemoryTest, HasItsKind) { EXPECT_EQ(JemallocKind::Factory()->kind(), MemoryKind::kJemalloc); }

TEST(JemallocMemoryTest, EachSideReadsTheOthersRegion) {
  const auto client = Create();
  const auto server = Create(Side::kServer);
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_client, client->Offer());
  ASSERT_THAT(of_client.regions, SizeIs(1));
  EXPECT_EQ(of_client.regions[0].bytes, JemallocMemory::RegionBytesFor(kArena));
  ASSERT_OK(server->Adopt(Received(of_client)));
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_server, server->Offer());
  ASSERT_THAT(of_server.regions, SizeIs(1));
  ASSERT_OK(client->Adopt(Received(of_server)));

  const auto stores = testing::Open(*server, *client);
  testing::ExpectLends(*stores.a, *stores.b);
  testing::ExpectLends(*stores.b, *stores.a);
}

TEST(JemallocMemoryTest, TheServerTakesAPlaceThatTheClientProposes) {
  auto client = Create();
  ASSERT_OK_AND_ASSIGN(const MemoryOffer offer, client->Offer());
  ASSERT_THAT(offer.places, SizeIs(6));
  ReceivedMemory received = Received(offer);
  client.reset();  // As in another process: its places are free here.
  const auto server = Create(Side::kServer);
  ASSERT_OK(server->Adopt(std::move(received)));
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_server, server->Offer());
  EXPECT_THAT(of_server.places, ElementsAre(offer.places[1], offer.places[0]));
}

TEST(JemallocMemoryTest, TheClientMovesWhereTheServerHasRoom) {
  const auto client = Create();
  ASSERT_OK_AND_ASSIGN(const MemoryOffer offer, client->Offer());
  const auto server = Create(Side::kServer);
  ASSERT_OK(server->Adopt(Received(offer)));
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_server, server->Offer());
  ReceivedMemory received = Received(of_server);
  received.places[1] = offer.places[3];
  ASSERT_OK(client->Adopt(std::move(received)));
  const auto stores = testing::Open(*server, *client);
  ASSERT_OK_AND_ASSIGN(const absl::Span<std::byte> segment, stores.b->Allocate(1000));
  const uint64_t distance = reinterpret_cast<uintptr_t>(segment.data()) - offer.places[3];
  EXPECT_LT(distance, offer.regions[0].bytes);
  stores.b->Free(segment);
  testing::ExpectLends(*stores.b, *stores.a);
}

TEST(JemallocMemoryTest, WhatIsOfferedCannotBeMappedForWriting) {
  const auto memory = Create();
  ASSERT_OK_AND_ASSIGN(const MemoryOffer offered, memory->Offer());
  ReceivedMemory received = Received(offered);
  ReceivedRegion& region = received.regions[0];
  EXPECT_THAT(Region::Map(std::move(region.fd), region.bytes, Access::kReadWrite, Sharing::kManyWriters),
              StatusIs(kLoss, HasSubstr("access")));
}

TEST(JemallocMemoryTest, TellsWhatMessagesOfItsSideTake) {
  const auto client = Create();
  const auto server = Create(Side::kServer);
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_client, client->Offer());
  ASSERT_OK(server->Adopt(Received(of_client)));
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_server, server->Offer());
  ASSERT_OK(client->Adopt(Received(of_server)));
  EXPECT_EQ(server->Usage(), std::nullopt);  // Not open.
  const auto stores = testing::Open(*server, *client);
  EXPECT_EQ(server->Usage(), (MemoryUsage{.allocated_bytes = 0, .limit_bytes = kArena}));
  ASSERT_OK_AND_ASSIGN(const absl::Span<std::byte> segment, stores.a->Allocate(1000));
  EXPECT_GE(server->Usage()->allocated_bytes, 1000);
  EXPECT_GE(server->Usage()->committed_bytes, server->Usage()->allocated_bytes);
  EXPECT_EQ(server->Usage()->blocks, 1u);
  EXPECT_EQ(client->Usage()->allocated_bytes, 0);
  stores.a->Free(segment);
  EXPECT_EQ(server->Usage()->allocated_bytes, 0);
}

// One that waits for the server's.
std::shared_ptr<SessionMemory> OfferingClient() {
  const auto client = Create();
  EXPECT_OK(client->Offer());
  return client;
}

// D2, H1: what a hostile peer may send.
TEST(JemallocMemoryTest, RefusesWhatIsNoRegion) {
  EXPECT_THAT(OfferingClient()->Adopt({}), StatusIs(kLoss, HasSubstr("sent 0 regions, where 1 is due")));
  const auto memory = Create();
  ASSERT_OK_AND_ASSIGN(const MemoryOffer offered, memory->Offer());
  ReceivedMemory two = Received(offered);
  two.regions.push_back(std::move(Received(offered).regions[0]));
  EXPECT_THAT(OfferingClient()->Adopt(std::move(two)), StatusIs(kLoss, HasSubstr("sent 2 regions")));
  ReceivedMemory nowhere = Received(offered);
  nowhere.places.clear();
  EXPECT_THAT(OfferingClient()->Adopt(std::move(nowhere)), StatusIs(kLoss, HasSubstr("where its region lies")));
  ReceivedMemory silent = Received(offered);
  silent.places.resize(1);
  EXPECT_THAT(OfferingClient()->Adopt(std::move(silent)), StatusIs(kLoss, HasSubstr("this side's region")));
  const uint64_t right = offered.regions[0].bytes;
  for (const uint64_t bytes : {uint64_t{0}, right - 1, 2 * right, ArenaRegistry::kHeaderBytes}) {
    ReceivedMemory wrong = Received(offered);
    wrong.regions[0].bytes = bytes;
    EXPECT_THAT(OfferingClient()->Adopt(std::move(wrong)), StatusIs(kLoss)) << bytes;
  }
}

}  // namespace
}  // namespace ipc::internal
