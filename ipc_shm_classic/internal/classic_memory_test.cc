#include "ipc_shm_classic/internal/classic_memory.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/fd.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kArena = uint64_t{1} << 20;
constexpr auto kLoss = absl::StatusCode::kDataLoss;

// A copy of what is offered, as it comes out of a socket.
std::vector<ReceivedRegion> Received(const std::vector<OfferedRegion>& offered) {
  std::vector<ReceivedRegion> received;
  for (const OfferedRegion& region : offered) received.push_back({*Duplicate(region.fd), region.bytes});
  return received;
}

std::vector<ReceivedRegion> OneRegion(uint64_t bytes, Sharing sharing = Sharing::kManyWriters) {
  const Region region = *Region::Create("peer", bytes, sharing);
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

  std::vector<std::atomic<uint32_t>> own(4), peers(4);
  const auto a = server->Open({.own = absl::MakeSpan(own), .peer = absl::MakeConstSpan(peers), .mapping = nullptr});
  const auto b = client->Open({.own = absl::MakeSpan(peers), .peer = absl::MakeConstSpan(own), .mapping = nullptr});
  for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
    ASSERT_OK_AND_ASSIGN(const absl::Span<std::byte> segment, from->Allocate(1000));
    segment[999] = std::byte{42};
    const size_t used = 1000;
    ASSERT_OK_AND_ASSIGN(const auto stored,
                         from->Publish(absl::MakeConstSpan(&segment, 1), absl::MakeConstSpan(&used, 1)));
    ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
    ASSERT_OK_AND_ASSIGN(const auto borrowed, to->Borrow(loan, stored->addresses()));
    EXPECT_EQ(borrowed->segments()[0][999], std::byte{42});
    // Each side's memory lies in its own half: nobody borrows from himself.
    EXPECT_THAT(from->Borrow(loan, stored->addresses()), StatusIs(kLoss, HasSubstr("does not lie in its memory")));
  }
}

TEST(ClassicMemoryTest, AClientTakesNoMoreThanTheServersHalf) {
  const auto server = Create(Side::kServer);
  ASSERT_OK_AND_ASSIGN(const auto client, ClassicMemory::Create(Side::kClient, 100 * kArena));
  ASSERT_OK_AND_ASSIGN(const auto offered, server->Offer());
  ASSERT_OK(client->Adopt(Received(offered)));
  std::vector<std::atomic<uint32_t>> counters(4);
  const auto store =
      client->Open({.own = absl::MakeSpan(counters), .peer = absl::MakeConstSpan(counters), .mapping = nullptr});
  EXPECT_OK(store->Allocate(kArena));
  EXPECT_THAT(store->Allocate(1), StatusIs(absl::StatusCode::kResourceExhausted));
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
