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
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/testing/memory_exchange.h"
#include "ipc_util/fd.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::Received;
using ::ipc::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kArena = uint64_t{1} << 20;
constexpr auto kLoss = absl::StatusCode::kDataLoss;

std::vector<ReceivedRegion> OneRegion(uint64_t bytes) {
  const Region region = *Region::Create("peer", bytes, Sharing::kManyWriters);
  std::vector<ReceivedRegion> received;
  received.push_back({*Duplicate(region.fd()), bytes});
  return received;
}

std::shared_ptr<SessionMemory> Create(Side side) { return *ClassicKind::Factory()->Create(side, kArena); }

TEST(ClassicMemoryTest, HasItsKind) { EXPECT_EQ(ClassicKind::Factory()->kind(), MemoryKind::kClassic); }

TEST(ClassicMemoryTest, TheServerMakesTheRegionOfBoth) {
  const auto client = Create(Side::kClient);
  const auto server = Create(Side::kServer);
  ASSERT_OK_AND_ASSIGN(const auto of_client, client->Offer());
  EXPECT_THAT(of_client, IsEmpty());
  EXPECT_OK(server->Adopt(Received(of_client)));
  ASSERT_OK_AND_ASSIGN(const auto of_server, server->Offer());
  ASSERT_THAT(of_server, SizeIs(1));
  EXPECT_EQ(of_server[0].bytes, 2 * WindowBytesFor(kArena));
  EXPECT_OK(client->Adopt(Received(of_server)));

  const auto stores = testing::Open(*server, *client);
  testing::ExpectLends(*stores.a, *stores.b);
  testing::ExpectLends(*stores.b, *stores.a);
}

TEST(ClassicMemoryTest, AClientTakesNoMoreThanTheServersHalf) {
  const auto server = Create(Side::kServer);
  ASSERT_OK_AND_ASSIGN(const auto client, ClassicMemory::Create(Side::kClient, 100 * kArena));
  ASSERT_OK_AND_ASSIGN(const auto offered, server->Offer());
  ASSERT_OK(client->Adopt(Received(offered)));
  const auto stores = testing::Open(*server, *client);
  EXPECT_OK(stores.b->Allocate(kArena));
  EXPECT_THAT(stores.b->Allocate(1), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(ClassicMemoryTest, TellsWhatMessagesOfItsSideTake) {
  const auto client = Create(Side::kClient);
  const auto server = Create(Side::kServer);
  ASSERT_OK_AND_ASSIGN(const auto of_client, client->Offer());
  ASSERT_OK(server->Adopt(Received(of_client)));
  ASSERT_OK_AND_ASSIGN(const auto of_server, server->Offer());
  ASSERT_OK(client->Adopt(Received(of_server)));
  EXPECT_EQ(server->Usage(), std::nullopt);  // Not open.
  const auto stores = testing::Open(*server, *client);
  EXPECT_EQ(server->Usage(), (MemoryUsage{.used_bytes = 0, .limit_bytes = kArena}));
  ASSERT_OK_AND_ASSIGN(const absl::Span<std::byte> segment, stores.a->Allocate(1000));
  EXPECT_GE(server->Usage()->used_bytes, 1000);
  EXPECT_EQ(client->Usage()->used_bytes, 0);
  stores.a->Free(segment);
  EXPECT_EQ(server->Usage()->used_bytes, 0);
}

// D2, H1: what a hostile server may send.
TEST(ClassicMemoryTest, AClientRefusesWhatIsNoRegionOfTheKind) {
  const uint64_t bytes = 2 * WindowBytesFor(kArena);
  EXPECT_THAT(Create(Side::kClient)->Adopt({}), StatusIs(kLoss, HasSubstr("sent 0 regions, where 1 are due")));
  std::vector<ReceivedRegion> two = OneRegion(bytes);
  two.push_back(std::move(OneRegion(bytes)[0]));
  EXPECT_THAT(Create(Side::kClient)->Adopt(std::move(two)), StatusIs(kLoss, HasSubstr("sent 2 regions")));
  EXPECT_THAT(Create(Side::kClient)->Adopt(OneRegion(bytes + 4096)), StatusIs(kLoss, HasSubstr("two halves")));
  std::vector<ReceivedRegion> wrong_size = OneRegion(bytes);
  wrong_size[0].bytes = 2 * bytes;
  EXPECT_THAT(Create(Side::kClient)->Adopt(std::move(wrong_size)), StatusIs(kLoss));
  std::vector<ReceivedRegion> empty = OneRegion(bytes);
  empty[0].bytes = 0;
  EXPECT_THAT(Create(Side::kClient)->Adopt(std::move(empty)), StatusIs(kLoss));
  std::vector<ReceivedRegion> read_only = OneRegion(bytes);
  read_only[0].fd =
      *Region::Map(std::move(read_only[0].fd), bytes, Access::kReadOnly, Sharing::kManyWriters)->OpenReadOnly();
  EXPECT_THAT(Create(Side::kClient)->Adopt(std::move(read_only)), StatusIs(kLoss, HasSubstr("access")));
}

TEST(ClassicMemoryTest, AServerTakesNoRegions) {
  EXPECT_THAT(Create(Side::kServer)->Adopt(OneRegion(2 * WindowBytesFor(kArena))),
              StatusIs(kLoss, HasSubstr("sent 1 regions, where 0 are due")));
}

}  // namespace
}  // namespace ipc::internal
