#include "ipc_shm/internal/loan_book.h"

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_transport/internal/peer_end.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::Child;
using ::ipc::testing::StatusIs;

constexpr size_t kSlots = 200;

class Thing final : public LentThing {
 public:
  void CameBack(Destructors destructors) override {
    ++back;
    last = destructors;
  }
  void Abandon() override { ++abandoned; }

  std::atomic<int> back{0};
  std::atomic<int> abandoned{0};
  std::atomic<Destructors> last{Destructors::kRun};
};

class LoanBookTest : public ::testing::Test {
 protected:
  std::unique_ptr<LoanBook> MakeBook(std::shared_ptr<const PidFd> process = nullptr) {
    return std::make_unique<LoanBook>(ReleaseCounters{.own = {},
                                                      .peer = absl::MakeConstSpan(released_),
                                                      .mapping = nullptr,
                                                      .peer_retired = &retired_,
                                                      .peer_process = std::move(process)});
  }

  uint32_t LendOnce(Thing& thing) {
    const absl::StatusOr<LoanHandle> loan = book_->LendOnce(thing);
    EXPECT_OK(loan);
    return loan->slot;
  }
  size_t ReclaimAll() { return book_->Reclaim(LoanBook::kAll, LoanBook::kAll, Destructors::kPutOff); }

  Thing& NewThing() { return things_.emplace_back(); }

  std::vector<std::atomic<uint32_t>> released_ = std::vector<std::atomic<uint32_t>>(kSlots);
  std::atomic<uint32_t> retired_{0};
  std::deque<Thing> things_;  // They outlive the book.
  std::unique_ptr<LoanBook> book_ = MakeBook();
};

TEST_F(LoanBookTest, TellsOfEachLoanThatIsBackOnce) {
  Thing& thing = NewThing();
  const uint32_t slot = LendOnce(thing);
  EXPECT_EQ(ReclaimAll(), 0u);
  ++released_[slot];
  EXPECT_EQ(ReclaimAll(), 1u);
  EXPECT_EQ(ReclaimAll(), 0u);
  EXPECT_EQ(thing.back, 1);
  EXPECT_EQ(thing.last, Destructors::kPutOff);
}

TEST_F(LoanBookTest, AThingMayHaveManyLoans) {
  Thing& thing = NewThing();
  Thing& other = NewThing();
  std::vector<uint32_t> slots;
  for (int i = 0; i < 10; ++i) {
    slots.push_back(LendOnce(thing));
    LendOnce(other);
  }
  for (const int i : {0, 4, 5, 9}) ++released_[slots[i]];
  EXPECT_EQ(book_->CloseBackOf(thing), 4u);
  EXPECT_EQ(thing.back, 0) << "whoever asks is not told besides";
  for (const int i : {1, 2, 3, 6, 7, 8}) ++released_[slots[i]];
  EXPECT_EQ(ReclaimAll(), 6u);
  EXPECT_EQ(thing.back, 6);
  EXPECT_EQ(other.back, 0);
}

TEST_F(LoanBookTest, ALoanThatNeverWentOutIsTakenBackAtOnce) {
  Thing& thing = NewThing();
  book_->TakeBackOnce(LendOnce(thing));
  EXPECT_EQ(thing.back, 1);
  EXPECT_EQ(thing.last, Destructors::kRun);
  EXPECT_EQ(ReclaimAll(), 0u);
}

TEST_F(LoanBookTest, ASlotOfManyLoansIsWatchedInTheEnd) {
  Thing& thing = NewThing();
  ASSERT_OK_AND_ASSIGN(const uint32_t slot, book_->Open());
  book_->Lend(slot);
  book_->Lend(slot);
  book_->Lend(slot);
  book_->TakeBack(slot);
  ++released_[slot];
  book_->Watch(slot, thing);
  EXPECT_EQ(ReclaimAll(), 0u);
  ++released_[slot];
  EXPECT_EQ(ReclaimAll(), 1u);
  EXPECT_EQ(thing.back, 1);
  ASSERT_OK_AND_ASSIGN(const uint32_t again, book_->Open());
  book_->Watch(again, thing);
  EXPECT_EQ(thing.back, 2) << "nothing was lent by it";
}

TEST_F(LoanBookTest, SlotsRunOutAndAreReusedWithAnotherGeneration) {
  Thing& thing = NewThing();
  for (size_t i = 0; i < kSlots; ++i) LendOnce(thing);
  EXPECT_THAT(book_->LendOnce(thing), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(book_->Open(), StatusIs(absl::StatusCode::kResourceExhausted));
  ++released_[77];
  EXPECT_EQ(ReclaimAll(), 1u);
  ASSERT_OK_AND_ASSIGN(const LoanHandle loan, book_->LendOnce(thing));
  EXPECT_EQ(loan.slot, 77u);
  EXPECT_EQ(loan.generation, 2u);
}

// Each look goes on where the last one ended, so that all are looked at in the end.
TEST_F(LoanBookTest, AFewAreLookedAtInTurn) {
  Thing& thing = NewThing();
  std::vector<uint32_t> slots;
  for (int i = 0; i < 30; ++i) slots.push_back(LendOnce(thing));
  ++released_[slots[17]];
  size_t looks = 0;
  while (book_->Reclaim(8, 8, Destructors::kPutOff) == 0) ASSERT_LT(++looks, 3u);
  EXPECT_EQ(looks, 2u);
  for (const uint32_t slot : {slots[0], slots[1], slots[2]}) ++released_[slot];
  EXPECT_EQ(book_->Reclaim(LoanBook::kAll, 2, Destructors::kPutOff), 2u) << "as many as are asked for";
  EXPECT_EQ(ReclaimAll(), 1u);
}

TEST_F(LoanBookTest, APeerThatHoldsNothingForEverHasGivenEverythingBack) {
  Thing& thing = NewThing();
  for (int i = 0; i < 100; ++i) LendOnce(thing);
  retired_ = 1;
  EXPECT_EQ(ReclaimAll(), 100u);
  EXPECT_EQ(thing.back, 100);
  book_->TakeBackOnce(5);
  EXPECT_EQ(thing.back, 100) << "it was told of that one";
}

SLUICE_CHILD_ROLE(idle) {
  ipc::testing::TellParent("here");
  ipc::testing::HearParent();
  return 0;
}

// K6: a stopped process keeps what it has; a dead one has nothing.
TEST_F(LoanBookTest, ADeadProcessHoldsNothing) {
  Child child = Child::Start("idle");
  ASSERT_EQ(child.Hear(), "here");
  ASSERT_OK_AND_ASSIGN(PidFd process, PidFd::Open(child.pid()));
  book_ = MakeBook(std::make_shared<const PidFd>(std::move(process)));
  Thing& thing = NewThing();
  for (int i = 0; i < 100; ++i) LendOnce(thing);
  child.Stop();
  EXPECT_EQ(ReclaimAll(), 0u);
  child.Kill();
  EXPECT_EQ(book_->CloseBackOf(thing), 0u) << "only a look at all asks the system";
  EXPECT_EQ(ReclaimAll(), 100u);
  EXPECT_EQ(thing.back, 100);
}

TEST_F(LoanBookTest, AbandonsEachThingOnceWhenItEnds) {
  Thing& thing = NewThing();
  Thing& other = NewThing();
  Thing& none = NewThing();
  for (int i = 0; i < 3; ++i) LendOnce(thing);
  LendOnce(other);
  LendOnce(none);
  book_->TakeBackOnce(4);
  book_.reset();
  EXPECT_EQ(thing.abandoned, 1);
  EXPECT_EQ(other.abandoned, 1);
  EXPECT_EQ(none.abandoned, 0);
  EXPECT_EQ(thing.back, 0);
}

TEST_F(LoanBookTest, AgreesWithAModel) {
  std::mt19937 random(1);
  std::deque<Thing>& things = things_;
  things.resize(5);
  std::vector<int> expected(5);
  std::vector<std::pair<uint32_t, size_t>> out;  // Slot, thing.
  for (int i = 0; i < 20000; ++i) {
    const size_t at = random() % things.size();
    if (out.size() < kSlots / 2 && random() % 2 == 0) {
      out.push_back({LendOnce(things[at]), at});
    } else if (!out.empty()) {
      std::swap(out[random() % out.size()], out.back());
      const auto [slot, of] = out.back();
      out.pop_back();
      ++expected[of];
      if (random() % 4 == 0) {
        book_->TakeBackOnce(slot);
      } else {
        ++released_[slot];
        if (random() % 4 == 0) expected[of] -= static_cast<int>(book_->CloseBackOf(things[of]));
      }
    }
    if (i % 50 == 0) ReclaimAll();
  }
  ReclaimAll();
  for (size_t i = 0; i < things.size(); ++i) EXPECT_EQ(things[i].back, expected[i]) << i;
}

TEST_F(LoanBookTest, ThreadsLendAndReclaimAtOnce) {
  constexpr int kRounds = 3000;
  std::deque<Thing>& things = things_;
  things.resize(3);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (Thing& thing : things) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        absl::StatusOr<LoanHandle> loan = book_->LendOnce(thing);
        ASSERT_OK(loan);
        if (i % 3 == 0) {
          book_->TakeBackOnce(loan->slot);
        } else {
          released_[loan->slot].fetch_add(1, std::memory_order_release);
          if (i % 5 == 0) thing.back += static_cast<int>(book_->CloseBackOf(thing));
          book_->Reclaim(8, 8, Destructors::kPutOff);
        }
      }
    });
  }
  std::thread reclaimer([&] {
    while (!done) ReclaimAll();
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  reclaimer.join();
  ReclaimAll();
  for (const Thing& thing : things) EXPECT_EQ(thing.back, kRounds);
}

// A channel ends with loans on their way.
TEST_F(LoanBookTest, WhatTheOtherEndOfAChannelMissedIsBack) {
  const auto peer_end = std::make_shared<PeerEnd>();
  Thing& received = NewThing();
  Thing& missed = NewThing();
  Thing& elsewhere = NewThing();
  const uint32_t slot = LendOnce(received);
  const uint32_t missed_slot = LendOnce(missed);
  LendOnce(elsewhere);
  book_->GoesBy(slot, peer_end, 6);
  book_->GoesBy(missed_slot, peer_end, 7);
  EXPECT_EQ(ReclaimAll(), 0u);
  peer_end->Ended(7);
  EXPECT_EQ(ReclaimAll(), 1u);
  EXPECT_EQ(missed.back, 1);
  EXPECT_EQ(received.back, 0);
  EXPECT_EQ(elsewhere.back, 0);
  // The slot is as good as new: its next loan is out, whatever became of the one before.
  Thing& next = NewThing();
  EXPECT_EQ(LendOnce(next), missed_slot);
  EXPECT_EQ(ReclaimAll(), 0u);
  ++released_[missed_slot];
  ++released_[slot];
  EXPECT_EQ(ReclaimAll(), 2u);
}

TEST_F(LoanBookTest, AThingLearnsOfItsMissedLoans) {
  const auto peer_end = std::make_shared<PeerEnd>();
  Thing& thing = NewThing();
  book_->GoesBy(LendOnce(thing), peer_end, 0);
  EXPECT_EQ(book_->CloseBackOf(thing), 0u);
  peer_end->Ended(0);
  EXPECT_EQ(book_->CloseBackOf(thing), 1u);
}

}  // namespace
}  // namespace ipc::internal
