#include "ipc_shm_classic/internal/classic_memory.h"

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
#include "ipc_util/fd.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::Received;
using ::ipc::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kArena = uint64_t{2} << 20;
constexpr auto kLoss = absl::StatusCode::kDataLoss;

// What a server may send.
ReceivedMemory OneRegion(uint64_t bytes) {
  const Region region = *Region::Create("peer", bytes, Sharing::kManyWriters);
  ReceivedMemory received = {.places = {0}};
  received.regions.push_back({*Duplicate(region.fd()), bytes});
  return received;
}

std::shared_ptr<SessionMemory> Create(Side side) {
  return *ClassicKind::Factory()->Create({.side = side, .arena_bytes = kArena});
}

// `client` and `server` take in what the other offers.
void Exchange(SessionMemory& client, SessionMemory& server) {
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_client, client.Offer());
  ASSERT_OK(server.Adopt(Received(of_client)));
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_server, server.Offer());
  ASSERT_OK(client.Adopt(Received(of_server)));
}

TEST(ClassicMemoryTest, HasItsDecay) { testing::ExpectHasItsDecay(*ClassicKind::Factory()); }

TEST(ClassicMemoryTest, HasItsKind) { EXPECT_EQ(ClassicKind::Factory()->kind(), MemoryKind::kClassic); }

TEST(ClassicMemoryTest, TheServerMakesTheRegionOfBoth) {
  const auto client = Create(Side::kClient);
  const auto server = Create(Side::kServer);
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_client, client->Offer());
  EXPECT_THAT(of_client.regions, IsEmpty());
  EXPECT_OK(server->Adopt(Received(of_client)));
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_server, server->Offer());
  ASSERT_THAT(of_server.regions, SizeIs(1));
  EXPECT_EQ(of_server.regions[0].bytes, ClassicMemory::RegionBytesFor(kArena));
  EXPECT_OK(client->Adopt(Received(of_server)));

  const auto stores = testing::Open(*server, *client);
  testing::ExpectLends(*stores.a, *stores.b);
  testing::ExpectLends(*stores.b, *stores.a);
}

// In another process, whose addresses are as free as here.
TEST(ClassicMemoryTest, TheServerTakesAPlaceThatTheClientProposes) {
  ASSERT_OK_AND_ASSIGN(const MemoryOffer taken, Create(Side::kClient)->Offer());  // And given back.
  ASSERT_THAT(taken.places, SizeIs(6));
  const auto server = Create(Side::kServer);
  ASSERT_OK(server->Adopt(Received(taken)));
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_server, server->Offer());
  EXPECT_THAT(of_server.places, ElementsAre(taken.places[0]));
  // The next one finds it taken.
  const auto other = Create(Side::kServer);
  ASSERT_OK(other->Adopt(Received(taken)));
  ASSERT_OK_AND_ASSIGN(const MemoryOffer of_other, other->Offer());
  EXPECT_THAT(of_other.places, ElementsAre(taken.places[1]));
}

TEST(ClassicMemoryTest, WithoutAProposalItTakesAPlaceOfItsOwn) {
  for (const std::vector<uint64_t>& places : {std::vector<uint64_t>(), {0, 1, UINT64_MAX}}) {
    const auto server = Create(Side::kServer);
    ASSERT_OK(server->Adopt({.places = places}));
    ASSERT_OK_AND_ASSIGN(const MemoryOffer offer, server->Offer());
    ASSERT_THAT(offer.places, SizeIs(1));
    EXPECT_TRUE(AddressWindow::Fits(offer.places[0], offer.regions[0].bytes));
  }
}

TEST(ClassicMemoryTest, AClientTakesNoMoreThanTheServersHalf) {
  const auto server = Create(Side::kServer);
  const auto client =
      std::make_shared<ClassicMemory>(MemoryRequest{.side = Side::kClient, .arena_bytes = 100 * kArena});
  Exchange(*client, *server);
  const auto stores = testing::Open(*server, *client);
  EXPECT_OK(stores.b->Allocate(kArena));
  EXPECT_THAT(stores.b->Allocate(1), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(ClassicMemoryTest, TellsWhatMessagesOfItsSideTake) {
  const auto client = Create(Side::kClient);
  const auto server = Create(Side::kServer);
  Exchange(*client, *server);
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

// D2, H1: what a hostile server may send.
TEST(ClassicMemoryTest, AClientRefusesWhatIsNoRegionOfTheKind) {
  const uint64_t bytes = ClassicMemory::RegionBytesFor(kArena);
  EXPECT_THAT(Create(Side::kClient)->Adopt({}), StatusIs(kLoss, HasSubstr("sent 0 regions, where 1 are due")));
  ReceivedMemory two = OneRegion(bytes);
  two.regions.push_back(std::move(OneRegion(bytes).regions[0]));
  EXPECT_THAT(Create(Side::kClient)->Adopt(std::move(two)), StatusIs(kLoss, HasSubstr("sent 2 regions")));
  ReceivedMemory nowhere = OneRegion(bytes);
  nowhere.places.clear();
  EXPECT_THAT(Create(Side::kClient)->Adopt(std::move(nowhere)), StatusIs(kLoss, HasSubstr("where its region lies")));
  EXPECT_THAT(Create(Side::kClient)->Adopt(OneRegion(bytes + 4096)), StatusIs(kLoss, HasSubstr("two halves")));
  EXPECT_THAT(Create(Side::kClient)->Adopt(OneRegion(ArenaRegistry::kHeaderBytes)),
              StatusIs(kLoss, HasSubstr("two halves")));
  ReceivedMemory wrong_size = OneRegion(bytes);
  wrong_size.regions[0].bytes = 2 * bytes - ArenaRegistry::kHeaderBytes;
  EXPECT_THAT(Create(Side::kClient)->Adopt(std::move(wrong_size)), StatusIs(kLoss));
  ReceivedMemory empty = OneRegion(bytes);
  empty.regions[0].bytes = 0;
  EXPECT_THAT(Create(Side::kClient)->Adopt(std::move(empty)), StatusIs(kLoss));
  ReceivedMemory read_only = OneRegion(bytes);
  read_only.regions[0].fd =
      *Region::Map(std::move(read_only.regions[0].fd), bytes, Access::kReadOnly, Sharing::kManyWriters)->OpenReadOnly();
  EXPECT_THAT(Create(Side::kClient)->Adopt(std::move(read_only)), StatusIs(kLoss, HasSubstr("access")));
}

TEST(ClassicMemoryTest, AServerTakesNoRegions) {
  EXPECT_THAT(Create(Side::kServer)->Adopt(OneRegion(ClassicMemory::RegionBytesFor(kArena))),
              StatusIs(kLoss, HasSubstr("sent 1 regions, where 0 are due")));
}

}  // namespace
}  // namespace ipc::internal
