#include "ipc_shm/internal/segment_store.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/testing/store_pair.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::ipc::testing::StorePair;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kSegment = size_t{2} << 20;

// Two ends of a session, of which `a` lends to `b`.
class SegmentStoreTest : public ::testing::Test {
 protected:
  // One that is full of `value`.
  absl::Span<std::byte> Segment(int value, size_t bytes = kSegment) {
    const auto segment = pair_.a->Allocate(bytes);
    EXPECT_OK(segment);
    std::memset(segment->data(), value, segment->size());
    return *segment;
  }

  // A message of one segment.
  std::unique_ptr<StoredSegments> Publish(absl::Span<std::byte> segment) {
    const size_t used = segment.size();
    auto stored = pair_.a->Publish(absl::MakeConstSpan(&segment, 1), absl::MakeConstSpan(&used, 1));
    EXPECT_OK(stored);
    return *std::move(stored);
  }

  size_t LiveSegments() const { return pair_.a->arena_stats().live_allocations; }

  StorePair pair_ = testing::CreateStorePair(size_t{64} << 20);
};

TEST_F(SegmentStoreTest, ThePeerReadsWhatWasPublished) {
  const auto stored = Publish(Segment(7));
  ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
  ASSERT_OK_AND_ASSIGN(const auto borrowed, pair_.b->Borrow(loan, stored->addresses()));
  ASSERT_EQ(borrowed->segments().size(), 1u);
  const absl::Span<const std::byte> segment = borrowed->segments()[0];
  EXPECT_EQ(segment.size(), kSegment);
  EXPECT_TRUE(std::all_of(segment.begin(), segment.end(), [](std::byte byte) { return byte == std::byte{7}; }));
}

TEST_F(SegmentStoreTest, SegmentsAreZeroAndAligned) {
  pair_.a->Free(Segment(0xff, 100'000));
  ASSERT_OK_AND_ASSIGN(const auto segment, pair_.a->Allocate(100'000));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(segment.data()) % 8, 0u);
  EXPECT_TRUE(std::all_of(segment.begin(), segment.end(), [](std::byte byte) { return byte == std::byte{0}; }));
  pair_.a->Free(segment);
  EXPECT_EQ(LiveSegments(), 0u);
}

TEST_F(SegmentStoreTest, OnlyWhatIsUsedIsKept) {
  const absl::Span<std::byte> segment = Segment(1, size_t{32} << 20);
  const size_t used = 5'000'000;
  ASSERT_OK_AND_ASSIGN(const auto stored,
                       pair_.a->Publish(absl::MakeConstSpan(&segment, 1), absl::MakeConstSpan(&used, 1)));
  ASSERT_EQ(stored->addresses().size(), 1u);
  EXPECT_EQ(stored->addresses()[0].bytes, used);
  EXPECT_LT(pair_.a->arena_stats().allocated_bytes, 5'100'000u);
}

TEST_F(SegmentStoreTest, NeverLentIsFreedWithItsOwner) {
  Publish(Segment(1)).reset();
  EXPECT_EQ(LiveSegments(), 0u);
}

TEST_F(SegmentStoreTest, IsFreedWhenTheLastLoanIsBack) {
  auto stored = Publish(Segment(1));
  ASSERT_OK_AND_ASSIGN(const LoanHandle first, stored->Lend());
  ASSERT_OK_AND_ASSIGN(const LoanHandle second, stored->Lend());
  ASSERT_OK_AND_ASSIGN(auto one, pair_.b->Borrow(first, stored->addresses()));
  ASSERT_OK_AND_ASSIGN(auto two, pair_.b->Borrow(second, stored->addresses()));
  stored.reset();
  one.reset();
  pair_.a->Reclaim();
  EXPECT_EQ(LiveSegments(), 1u);
  two.reset();
  pair_.a->Reclaim();
  EXPECT_EQ(LiveSegments(), 0u);
}

TEST_F(SegmentStoreTest, WhatIsBackIsFreedInPassing) {
  auto stored = Publish(Segment(1));
  ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
  ASSERT_OK_AND_ASSIGN(auto borrowed, pair_.b->Borrow(loan, stored->addresses()));
  stored.reset();
  borrowed.reset();
  EXPECT_EQ(LiveSegments(), 1u);
  pair_.a->Free(Segment(1));
  EXPECT_EQ(LiveSegments(), 0u);
}

TEST_F(SegmentStoreTest, OutlivesItsLoansWhileTheOwnerHoldsIt) {
  const auto stored = Publish(Segment(1));
  ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
  ASSERT_OK(pair_.b->Borrow(loan, stored->addresses()));
  pair_.a->Reclaim();
  EXPECT_EQ(LiveSegments(), 1u);
}

TEST_F(SegmentStoreTest, ALoanThatWasNotSentIsTakenBack) {
  auto stored = Publish(Segment(1));
  ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
  stored->TakeBack(loan);
  stored.reset();
  EXPECT_EQ(LiveSegments(), 0u);
}

// The peer is slow: memory is short, and comes back with its loans, however many there are.
TEST_F(SegmentStoreTest, AFullArenaLooksAtEveryLoan) {
  std::vector<std::unique_ptr<BorrowedSegments>> borrowed;
  while (true) {
    auto segment = pair_.a->Allocate(kSegment);
    if (!segment.ok()) break;
    const auto stored = Publish(*segment);
    ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
    ASSERT_OK_AND_ASSIGN(auto one, pair_.b->Borrow(loan, stored->addresses()));
    borrowed.push_back(std::move(one));
  }
  EXPECT_EQ(borrowed.size(), 32u);
  EXPECT_THAT(pair_.a->Allocate(kSegment), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("32 blocks")));
  borrowed.pop_back();
  ASSERT_OK_AND_ASSIGN(const auto segment, pair_.a->Allocate(kSegment));
  pair_.a->Free(segment);
}

TEST_F(SegmentStoreTest, LoanSlotsRunOut) {
  std::vector<std::unique_ptr<StoredSegments>> kept;
  for (size_t i = 0; i < testing::kStorePairSlots; ++i) kept.push_back(Publish(Segment(1, 64)));
  absl::Span<std::byte> segment = Segment(1, 64);
  const size_t used = 64;
  EXPECT_THAT(pair_.a->Publish(absl::MakeConstSpan(&segment, 1), absl::MakeConstSpan(&used, 1)),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("loan slots")));
  kept.pop_back();
  kept.push_back(Publish(segment));
}

// More than are looked at in passing are back, and wait for somebody to look.
TEST_F(SegmentStoreTest, WhenSlotsRunOutEveryLoanIsLookedAt) {
  std::vector<std::unique_ptr<BorrowedSegments>> borrowed;
  for (size_t i = 0; i < testing::kStorePairSlots; ++i) {
    const auto stored = Publish(Segment(1, 64));
    ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
    ASSERT_OK_AND_ASSIGN(auto one, pair_.b->Borrow(loan, stored->addresses()));
    borrowed.push_back(std::move(one));
  }
  // The one that is looked at last.
  std::swap(borrowed.front(), borrowed[testing::kStorePairSlots / 2]);
  borrowed.erase(borrowed.begin());
  for (int i = 0; i < 2; ++i) Publish(Segment(1, 64));
}

// A reader keeps its memory, whatever becomes of the owner and the session.
TEST_F(SegmentStoreTest, BorrowedSegmentsOutliveBothStores) {
  auto stored = Publish(Segment(9));
  ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
  ASSERT_OK_AND_ASSIGN(const auto borrowed, pair_.b->Borrow(loan, stored->addresses()));
  stored.reset();
  pair_ = {};
  EXPECT_EQ(borrowed->segments()[0].back(), std::byte{9});
}

// What the reader never received, or drops with all it has, comes back with its end.
TEST_F(SegmentStoreTest, TheEndOfTheReaderBringsEverythingBack) {
  auto received = Publish(Segment(1)), on_its_way = Publish(Segment(2));
  ASSERT_OK_AND_ASSIGN(const LoanHandle loan, received->Lend());
  ASSERT_OK(on_its_way->Lend());
  ASSERT_OK_AND_ASSIGN(auto borrowed, pair_.b->Borrow(loan, received->addresses()));
  received.reset();
  on_its_way.reset();
  pair_.b.reset();
  pair_.a->Reclaim();
  EXPECT_EQ(LiveSegments(), 2u) << "it still reads one";
  borrowed.reset();
  pair_.a->Reclaim();
  EXPECT_EQ(LiveSegments(), 0u);
}

SLUICE_CHILD_ROLE(idle) {
  testing::TellParent("here");
  testing::HearParent();
  return 0;
}

// K6: the reader's process is killed with messages in its hands.
TEST_F(SegmentStoreTest, WhatADeadProcessReadIsFreed) {
  testing::Child child = testing::Child::Start("idle");
  ASSERT_EQ(child.Hear(), "here");
  ASSERT_OK_AND_ASSIGN(PidFd process, PidFd::Open(child.pid()));
  pair_ = testing::CreateStorePair(size_t{64} << 20, {.b_process = std::make_shared<const PidFd>(std::move(process))});
  for (int i = 0; i < 32; ++i) ASSERT_OK(Publish(Segment(i))->Lend());
  EXPECT_THAT(pair_.a->Allocate(kSegment), StatusIs(absl::StatusCode::kResourceExhausted));
  child.Kill();
  ASSERT_OK_AND_ASSIGN(const auto segment, pair_.a->Allocate(kSegment));
  pair_.a->Free(segment);
  EXPECT_EQ(LiveSegments(), 0u);
}

// H3: what a hostile peer may write into a record.
TEST_F(SegmentStoreTest, RefusesAddressesOutsideThePeersWindow) {
  const auto stored = Publish(Segment(1));
  const SegmentAddress good = stored->addresses()[0];
  const uint64_t end = pair_.a_window.offset + pair_.a_window.bytes;
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  const std::vector<SegmentAddress> bad = {
      {.region = 1, .offset = good.offset, .bytes = 8},
      {.region = 0, .offset = good.offset + 4, .bytes = 8},
      {.region = 0, .offset = end, .bytes = 8},
      {.region = 0, .offset = end - 8, .bytes = 16},
      {.region = 0, .offset = good.offset, .bytes = kMax - 7},
      {.region = 0, .offset = kMax - 7, .bytes = 16},
      {.region = 0, .offset = pair_.b_window.offset, .bytes = 8},
  };
  for (const SegmentAddress& address : bad) {
    ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
    const std::vector<SegmentAddress> addresses = {good, address};
    EXPECT_THAT(pair_.b->Borrow(loan, addresses), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("the peer sent")))
        << address.offset << " + " << address.bytes;
  }
  const std::vector<SegmentAddress> last = {{.region = 0, .offset = end - 8, .bytes = 8}};
  ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
  EXPECT_OK(pair_.b->Borrow(loan, last));
}

// Those of the test before came back all the same.
TEST_F(SegmentStoreTest, ARefusedLoanIsGivenBack) {
  auto stored = Publish(Segment(1));
  ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
  const std::vector<SegmentAddress> bad = {{.region = 5, .offset = 0, .bytes = 8}};
  EXPECT_THAT(pair_.b->Borrow(loan, bad), StatusIs(absl::StatusCode::kDataLoss));
  stored.reset();
  EXPECT_EQ(LiveSegments(), 0u);
}

TEST_F(SegmentStoreTest, RefusesASlotThatThereIsNot) {
  const auto stored = Publish(Segment(1));
  EXPECT_THAT(pair_.b->Borrow({.slot = testing::kStorePairSlots, .generation = 1}, stored->addresses()),
              StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("slot 100"), HasSubstr("of 100"))));
}

// The owner frees and writes anew only what the reader is done with.
TEST_F(SegmentStoreTest, OwnerAndReaderAreThreads) {
  constexpr int kMessages = 2000;
  struct Sent {
    LoanHandle loan;
    std::vector<SegmentAddress> addresses;
    int value;
  };
  std::vector<Sent> sent(kMessages);
  std::atomic<int> count{0};  // Release by the owner, acquire by the reader: `sent` up to here.
  std::atomic<int> read{0};   // By the reader; orders nothing, that is what the store is for.
  std::thread reader([&] {
    for (int i = 0; i < kMessages; ++i) {
      while (count.load(std::memory_order_acquire) <= i) std::this_thread::yield();
      ASSERT_OK_AND_ASSIGN(const auto borrowed, pair_.b->Borrow(sent[i].loan, sent[i].addresses));
      for (const std::byte byte : borrowed->segments()[0]) ASSERT_EQ(byte, static_cast<std::byte>(sent[i].value));
      read.store(i + 1, std::memory_order_relaxed);
    }
  });
  for (int i = 0; i < kMessages; ++i) {
    while (i - read.load(std::memory_order_relaxed) > 50) std::this_thread::yield();
    const auto stored = Publish(Segment(i % 251, 4096));
    ASSERT_OK_AND_ASSIGN(const LoanHandle loan, stored->Lend());
    sent[i] = {loan, {stored->addresses().begin(), stored->addresses().end()}, i % 251};
    count.store(i + 1, std::memory_order_release);
  }
  reader.join();
  pair_.a->Reclaim();
  EXPECT_EQ(LiveSegments(), 0u);
}

}  // namespace
}  // namespace ipc::internal
