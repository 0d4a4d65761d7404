#include "ipc_shm_jemalloc/internal/jemalloc_memory.h"

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
using ::testing::SizeIs;

constexpr uint64_t kArena = uint64_t{1} << 20;
constexpr auto kLoss = absl::StatusCode::kDataLoss;

// A copy of what is offered, as it comes out of a socket.
std::vector<ReceivedRegion> Received(const std::vector<OfferedRegion>& offered) {
  std::vector<ReceivedRegion> received;
  for (const OfferedRegion& region : offered) received.push_back({*Duplicate(region.fd), region.bytes});
  return received;
}

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
  }
}

TEST(JemallocMemoryTest, WhatIsOfferedCannotBeMappedForWriting) {
  const auto memory = Create();
  ASSERT_OK_AND_ASSIGN(const auto offered, memory->Offer());
  std::vector<ReceivedRegion> received = Received(offered);
  EXPECT_THAT(Region::Map(std::move(received[0].fd), received[0].bytes, Access::kReadWrite, Sharing::kManyWriters),
              StatusIs(kLoss, HasSubstr("access")));
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
