#include "ipc_shm/internal/borrowed_loan.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
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
  std::atomic<uint32_t> wish_{0};
  std::atomic<int> rings_{0};
  std::shared_ptr<const Lender> lender_ =
      std::make_shared<const Lender>(RegionWindow(), RegionWindow(),
                                     ReleaseCounters{.own = absl::MakeSpan(released_),
                                                     .peer = {},
                                                     .mapping = nullptr,
                                                     .own_retired = &retired_,
                                                     .peer_wants_bell = &wish_,
                                                     .ring_peer = [this] { ++rings_; }});
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

TEST_F(BorrowedLoanTest, TheOwnerIsRungOnceForEachOfItsWishes) {
  const auto give_back = [&] { const BorrowedLoan loan(lender_, 0); };
  give_back();
  EXPECT_EQ(rings_, 0);
  for (const uint32_t wish : {1, 2, 7}) {
    const int before = rings_;
    wish_ = wish;
    EXPECT_EQ(rings_, before);
    give_back();
    EXPECT_EQ(rings_, before + 1);
    give_back();
    EXPECT_EQ(rings_, before + 1);
  }
  wish_ = 8;
  lender_.reset();
  EXPECT_EQ(rings_, 4) << "it has everything back";
}

// An owner that looks once more after each wish, and then waits for the bell, misses nothing.
TEST_F(BorrowedLoanTest, NothingIsMissedBetweenTheWishAndTheBell) {
  constexpr uint32_t kLoans = 20'000;
  std::thread borrower([this] {
    for (uint32_t i = 0; i < kLoans; ++i) BorrowedLoan(lender_, 0);
  });
  for (uint32_t seen = 0; seen < kLoans;) {
    const int before = rings_;
    wish_.fetch_add(1, std::memory_order_seq_cst);
    const uint32_t now = released_[0].load(std::memory_order_seq_cst);
    if (now == seen) {
      while (rings_ == before) std::this_thread::yield();  // Ends, or the test does not.
    }
    seen = released_[0];
  }
  borrower.join();
}

}  // namespace
}  // namespace ipc::internal
