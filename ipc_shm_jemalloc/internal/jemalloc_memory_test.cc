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
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/testing/memory_exchange.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::Received;
using ::ipc::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uint64_t kArena = uint64_t{1} << 20;
constexpr auto kLoss = absl::StatusCode::kDataLoss;

std::shared_ptr<SessionMemory> Create() { return *JemallocKind::Factory()->Create(Side::kClient, kArena); }

TEST(JemallocMemoryTest, HasItsKind) { EXPECT_EQ(JemallocKind::Factory()->kind(), MemoryKind::kJemalloc); }

TEST(JemallocMemoryTest, EachSideReadsTheOthersRegion) {
  const auto client = Create();
  const auto server = Create();
  ASSERT_OK_AND_ASSIGN(const auto of_client, client->Offer());
  ASSERT_OK_AND_ASSIGN(const auto of_server, server->Offer());
  ASSERT_THAT(of_client, SizeIs(1));
  EXPECT_EQ(of_client[0].bytes, WindowBytesFor(kArena));
  ASSERT_OK(server->Adopt(Received(of_client)));
  ASSERT_OK(client->Adopt(Received(of_server)));

  const auto stores = testing::Open(*server, *client);
  testing::ExpectLends(*stores.a, *stores.b);
  testing::ExpectLends(*stores.b, *stores.a);
}

TEST(JemallocMemoryTest, WhatIsOfferedCannotBeMappedForWriting) {
  const auto memory = Create();
  ASSERT_OK_AND_ASSIGN(const auto offered, memory->Offer());
  std::vector<ReceivedRegion> received = Received(offered);
  EXPECT_THAT(Region::Map(std::move(received[0].fd), received[0].bytes, Access::kReadWrite, Sharing::kManyWriters),
              StatusIs(kLoss, HasSubstr("access")));
}

TEST(JemallocMemoryTest, TellsWhatMessagesOfItsSideTake) {
  const auto client = Create();
  const auto server = Create();
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

// D2, H1: what a hostile peer may send.
TEST(JemallocMemoryTest, RefusesWhatIsNoRegion) {
  EXPECT_THAT(Create()->Adopt({}), StatusIs(kLoss, HasSubstr("sent 0 regions, where 1 is due")));
  const auto memory = Create();
  ASSERT_OK_AND_ASSIGN(const auto offered, memory->Offer());
  std::vector<ReceivedRegion> two = Received(offered);
  two.push_back(std::move(Received(offered)[0]));
  EXPECT_THAT(Create()->Adopt(std::move(two)), StatusIs(kLoss, HasSubstr("sent 2 regions")));
  for (const uint64_t bytes : {uint64_t{0}, offered[0].bytes - 1, 2 * offered[0].bytes}) {
    std::vector<ReceivedRegion> wrong = Received(offered);
    wrong[0].bytes = bytes;
    EXPECT_THAT(Create()->Adopt(std::move(wrong)), StatusIs(kLoss)) << bytes;
  }
}

}  // namespace
}  // namespace ipc::internal
