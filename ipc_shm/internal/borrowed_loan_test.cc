#include "ipc_shm/internal/borrowed_loan.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/region.h"

namespace ipc::internal {
namespace {

class BorrowedLoanTest : public ::testing::Test {
 protected:
  std::vector<std::atomic<uint32_t>> released_ = std::vector<std::atomic<uint32_t>>(3);
  std::atomic<uint32_t> retired_{0};
  std::shared_ptr<const Lender> lender_ = std::make_shared<const Lender>(
      RegionWindow(), RegionWindow(),
      ReleaseCounters{.own = absl::MakeSpan(released_), .peer = {}, .mapping = nullptr, .own_retired = &retired_});
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
  std::weak_ptr<const Lender> watched = lender_;
  auto loan = std::make_unique<const BorrowedLoan>(std::move(lender_), 0);
  EXPECT_EQ(&loan->lender(), watched.lock().get());
  loan.reset();
  EXPECT_TRUE(watched.expired());
}

// The peer learns that it has everything back once nobody here can borrow or holds a loan.
TEST_F(BorrowedLoanTest, TheLastUserTells) {
  auto loan = std::make_unique<const BorrowedLoan>(lender_, 0);
  lender_.reset();
  EXPECT_EQ(retired_, 0u);
  loan.reset();
  EXPECT_EQ(retired_, 1u);
}

}  // namespace
}  // namespace ipc::internal
