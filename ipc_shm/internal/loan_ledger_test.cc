#include "ipc_shm/internal/loan_ledger.h"

#include <atomic>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::testing::HasSubstr;

TEST(LoanLedgerTest, NothingIsOutOfANewSlot) {
  std::vector<std::atomic<uint32_t>> released(4);
  LoanLedger ledger{absl::MakeConstSpan(released)};
  ASSERT_OK_AND_ASSIGN(const uint32_t slot, ledger.Open());
  EXPECT_TRUE(ledger.IsBack(slot));
}

TEST(LoanLedgerTest, EveryLoanMustComeBack) {
  std::vector<std::atomic<uint32_t>> released(4);
  LoanLedger ledger{absl::MakeConstSpan(released)};
  ASSERT_OK_AND_ASSIGN(const uint32_t slot, ledger.Open());
  EXPECT_EQ(ledger.Lend(slot).slot, slot);
  ledger.Lend(slot);
  EXPECT_FALSE(ledger.IsBack(slot));
  ++released[slot];
  EXPECT_FALSE(ledger.IsBack(slot));
  ledger.TakeBack(slot);
  EXPECT_TRUE(ledger.IsBack(slot));
}

TEST(LoanLedgerTest, SlotsAreLimitedAndReused) {
  std::vector<std::atomic<uint32_t>> released(3);
  LoanLedger ledger{absl::MakeConstSpan(released)};
  std::set<uint32_t> slots;
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const uint32_t slot, ledger.Open());
    slots.insert(slot);
  }
  EXPECT_EQ(slots, (std::set<uint32_t>{0, 1, 2}));
  EXPECT_THAT(ledger.Open(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("all 3 loan slots")));
  ledger.Close(1);
  EXPECT_THAT(ledger.Open(), ::ipc::testing::IsOkAndHolds(1u));
}

TEST(LoanLedgerTest, EachUseOfASlotHasItsGeneration) {
  std::vector<std::atomic<uint32_t>> released(1);
  LoanLedger ledger{absl::MakeConstSpan(released)};
  ASSERT_OK(ledger.Open());
  const LoanHandle first = ledger.Lend(0);
  EXPECT_EQ(ledger.Lend(0).generation, first.generation);
  released[0] = 2;
  ledger.Close(0);
  ASSERT_OK(ledger.Open());
  EXPECT_TRUE(ledger.IsBack(0));
  EXPECT_NE(ledger.Lend(0).generation, first.generation);
}

TEST(LoanLedgerTest, CountsWrapAround) {
  std::vector<std::atomic<uint32_t>> released(1);
  LoanLedger ledger{absl::MakeConstSpan(released)};
  ASSERT_OK(ledger.Open());
  ledger.TakeBack(0);  // As if 2^32 - 1 had been lent.
  released[0] = std::numeric_limits<uint32_t>::max();
  EXPECT_TRUE(ledger.IsBack(0));
  ledger.Lend(0);
  EXPECT_FALSE(ledger.IsBack(0));
  ++released[0];
  EXPECT_TRUE(ledger.IsBack(0));
}

// The borrower's counters are hostile: a count beyond what was lent is not taken for everything back.
TEST(LoanLedgerTest, ReleasesThatNobodyLentKeepTheSlot) {
  std::vector<std::atomic<uint32_t>> released(1);
  LoanLedger ledger{absl::MakeConstSpan(released)};
  ASSERT_OK(ledger.Open());
  ledger.Lend(0);
  released[0] = 2;
  EXPECT_FALSE(ledger.IsBack(0));
}

}  // namespace
}  // namespace ipc::internal
