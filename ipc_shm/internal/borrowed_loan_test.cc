#include "ipc_shm/internal/borrowed_loan.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace ipc::internal {
namespace {

class BorrowedLoanTest : public ::testing::Test {
 protected:
  std::vector<std::atomic<uint32_t>> released_ = std::vector<std::atomic<uint32_t>>(3);
  const std::shared_ptr<const Lender> lender_ = std::make_shared<const Lender>(
      Lender{.window = {}, .counters = {.own = absl::MakeSpan(released_), .peer = {}, .mapping = nullptr}});
};

TEST_F(BorrowedLoanTest, IsGivenBackOnce) {
  {
    BorrowedLoan loan(lender_, 1);
    const BorrowedLoan moved(std::move(loan));
    EXPECT_EQ(released_[1], 0u);
  }
  EXPECT_EQ(released_[0], 0u);
  EXPECT_EQ(released_[1], 1u);
  EXPECT_EQ(released_[2], 0u);
}

TEST_F(BorrowedLoanTest, KeepsWhatItNeeds) {
  std::weak_ptr<const Lender> watched;
  std::optional<BorrowedLoan> loan;
  {
    auto lender = std::make_shared<const Lender>(*lender_);
    watched = lender;
    loan.emplace(std::move(lender), 0);
  }
  EXPECT_FALSE(watched.expired());
  EXPECT_EQ(&loan->lender(), watched.lock().get());
  loan.reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace ipc::internal
