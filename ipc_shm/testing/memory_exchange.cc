#include "ipc_shm/testing/memory_exchange.h"

#include <sys/stat.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::MemoryOffer;
using ::ipc::internal::OfferedRegion;
using ::ipc::internal::ReceivedMemory;
using ::ipc::internal::SessionMemory;
using ::ipc::internal::SessionMemoryFactory;
using ::ipc::internal::Side;

struct Counters {
  std::vector<std::atomic<uint32_t>> a = std::vector<std::atomic<uint32_t>>(4);
  std::vector<std::atomic<uint32_t>> b = std::vector<std::atomic<uint32_t>>(4);
};

}  // namespace

ReceivedMemory Received(const MemoryOffer& offered) {
  ReceivedMemory received = {.places = offered.places};
  for (const OfferedRegion& region : offered.regions) {
    received.regions.push_back({*Duplicate(region.fd), region.bytes});
  }
  return received;
}

OpenedStores Open(SessionMemory& a, SessionMemory& b) {
  const auto counters = std::make_shared<Counters>();
  return {
      .a = a.Open({.own = absl::MakeSpan(counters->a), .peer = absl::MakeConstSpan(counters->b), .mapping = counters},
                  /*exchange=*/{}),
      .b = b.Open({.own = absl::MakeSpan(counters->b), .peer = absl::MakeConstSpan(counters->a), .mapping = counters},
                  /*exchange=*/{})};
}

void ExpectLends(MessageStore& from, MessageStore& to) {
  ASSERT_OK_AND_ASSIGN(const absl::Span<std::byte> segment, from.Allocate(1000));
  segment[999] = std::byte{42};
  const size_t used = 1000;
  ASSERT_OK_AND_ASSIGN(const auto stored,
                       from.Publish(absl::MakeConstSpan(&segment, 1), absl::MakeConstSpan(&used, 1)));
  ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
  ASSERT_OK_AND_ASSIGN(const auto borrowed, to.Borrow(loan, stored->addresses()));
  ASSERT_EQ(borrowed->segments().size(), 1u);
  EXPECT_EQ(borrowed->segments()[0].size(), 1000u);
  EXPECT_EQ(borrowed->segments()[0][999], std::byte{42});
}

void ExpectHasItsDecay(const SessionMemoryFactory& factory) {
  constexpr size_t kBytes = size_t{2} << 20;
  const auto blocks_of = [](FdView region) {
    struct stat file = {};
    EXPECT_EQ(fstat(region.get(), &file), 0);
    return file.st_blocks;
  };
  for (const absl::Duration decay : {absl::ZeroDuration(), absl::Hours(1)}) {
    const auto make = [&](Side side) {
      return *factory.Create({.side = side, .arena_bytes = 2 * kBytes, .arena_decay = decay});
    };
    const auto client = make(Side::kClient);
    const auto server = make(Side::kServer);
    ASSERT_OK_AND_ASSIGN(const MemoryOffer of_client, client->Offer());
    ASSERT_OK(server->Adopt(Received(of_client)));
    ASSERT_OK_AND_ASSIGN(const MemoryOffer of_server, server->Offer());
    ASSERT_OK(client->Adopt(Received(of_server)));
    const OpenedStores stores = Open(*server, *client);
    const FdView region = of_server.regions.at(0).fd;
    const auto before = blocks_of(region);
    ASSERT_OK_AND_ASSIGN(const absl::Span<std::byte> segment, stores.a->Allocate(kBytes));
    std::memset(segment.data(), 1, segment.size());
    stores.a->Free(segment);
    EXPECT_EQ(blocks_of(region) == before, decay == absl::ZeroDuration()) << decay;
  }
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
