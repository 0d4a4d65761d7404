// Objects and loans where this process's own memory ends: the N-th `new` of each step fails.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_shm/testing/store_pair.h"
#include "ipc_util/testing/failing_new.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::FailingNew;
using ::ipc::testing::StorePair;

constexpr size_t kArenaBytes = size_t{8} << 20;
using Table = shm::map<int, shm::string>;

// Two ends of a session in one process; `a_` is the owner.
class SessionArenaMemoryTest : public ::testing::Test {
 protected:
  // Runs `act` with its first `new` failing, then with its second, until it has no more of them. After each failure it
  // must be as if nothing had been done, and then work. `act` is undone by `undo`.
  void FailEach(absl::FunctionRef<void()> act, absl::FunctionRef<void()> undo) {
    for (uint64_t nth = 1;; ++nth) {
      ASSERT_LT(nth, 1000u);
      const size_t blocks = LiveBlocks();
      const shm::LoanStats loans = a_->loan_stats();
      bool has_failed;
      {
        const FailingNew failing(nth);
        try {
          act();
        } catch (const std::bad_alloc&) {
        }
        has_failed = failing.has_failed();
      }
      if (!has_failed) {
        EXPECT_GT(nth, 1u) << "nothing was allocated";
        return undo();
      }
      undo();
      EXPECT_EQ(LiveBlocks(), blocks) << nth;
      EXPECT_EQ(a_->loan_stats(), loans) << nth;
    }
  }

  size_t LiveBlocks() const { return a_->arena_stats().live_allocations; }

  absl::StatusOr<std::shared_ptr<Table>> MakeTable() {
    absl::StatusOr<std::shared_ptr<Table>> table = a_->Construct<Table>();
    if (table.ok()) (*table)->emplace(1, "a text that is too long to lie in the string itself");
    return table;
  }

  StorePair pair_ = testing::CreateStorePair(kArenaBytes);
  std::optional<SessionArena> a_{pair_.a->lending_arena()};
  std::optional<SessionArena> b_{pair_.b->lending_arena()};
};

// R3
TEST_F(SessionArenaMemoryTest, AnObjectIsThereOrNot) {
  std::vector<std::shared_ptr<Table>> tables;
  tables.reserve(1);
  FailEach(
      [&] {
        absl::StatusOr<std::shared_ptr<Table>> table = MakeTable();
        if (table.ok()) tables.push_back(*std::move(table));
      },
      [&] { tables.clear(); });
}

// R3
TEST_F(SessionArenaMemoryTest, ALoanIsOutOrNot) {
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Table> table, MakeTable());
  // Slots that are opened for the first time, and such that were used before.
  for (int round = 0; round < 2; ++round) {
    std::vector<shm::Loan> loans;
    loans.reserve(2 * testing::kStorePairSlots);
    FailEach(
        [&] {
          // Until all slots are taken.
          for (absl::StatusOr<shm::Loan> loan = a_->Lend(table); loan.ok(); loan = a_->Lend(table)) {
            loans.push_back(*std::move(loan));
          }
        },
        [&] { loans.clear(); });
    // None is lost.
    for (uint32_t i = 0; i < testing::kStorePairSlots; ++i) {
      ASSERT_OK_AND_ASSIGN(shm::Loan loan, a_->Lend(table));
      loans.push_back(std::move(loan));
    }
  }
}

// R3
TEST_F(SessionArenaMemoryTest, ALoanIsBorrowedOrBack) {
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Table> table, MakeTable());
  std::optional<shm::Loan> loan;
  std::shared_ptr<const Table> borrowed;
  const auto lend = [&] {
    absl::StatusOr<shm::Loan> next = a_->Lend(table);
    ASSERT_OK(next);
    loan.emplace(*std::move(next));
  };
  lend();
  FailEach(
      [&] {
        absl::StatusOr<std::shared_ptr<const Table>> object = b_->Borrow<Table>(loan->ref());
        if (object.ok()) borrowed = *std::move(object);
      },
      [&] {
        // Where it failed at first, it can be done again.
        if (borrowed == nullptr) b_->Borrow<Table>(loan->ref()).IgnoreError();
        std::move(*loan).Sent();
        borrowed = nullptr;
        a_->Reclaim(0);
        EXPECT_EQ(a_->loan_stats().loans_out, 0u);
        lend();
      });
}

}  // namespace
}  // namespace ipc::internal
