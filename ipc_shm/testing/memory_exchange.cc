#include "ipc_shm/testing/memory_exchange.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

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

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
