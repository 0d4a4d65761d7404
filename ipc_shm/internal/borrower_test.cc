#include "ipc_shm/internal/borrower.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class BorrowerTest : public ::testing::Test {
 protected:
  std::vector<std::atomic<uint32_t>> released_ = std::vector<std::atomic<uint32_t>>(3);
  Borrower borrower_{RegionWindow(), RegionWindow(),
                     ReleaseCounters{.own = absl::MakeSpan(released_), .peer = {}, .mapping = nullptr}};
};

TEST_F(BorrowerTest, ALoanIsTakenOnce) {
  EXPECT_OK(borrower_.TakeOnce({.slot = 2, .generation = 7}));
  EXPECT_EQ(released_[2], 1u);
  EXPECT_THAT(borrower_.TakeOnce({.slot = 2, .generation = 7}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("was borrowed before")));
  EXPECT_THAT(borrower_.TakeOnce({.slot = 2, .generation = 6}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(released_[2], 1u) << "what is refused is not given back";
  EXPECT_OK(borrower_.TakeOnce({.slot = 2, .generation = 8}));
  EXPECT_EQ(released_[2], 2u);
}

TEST_F(BorrowerTest, EachSlotHasItsOwnGenerations) {
  EXPECT_OK(borrower_.TakeOnce({.slot = 2, .generation = 7}));
  EXPECT_OK(borrower_.TakeOnce({.slot = 1, .generation = 7}));
  EXPECT_OK(borrower_.TakeOnce({.slot = 0, .generation = 1}));
}

TEST_F(BorrowerTest, GenerationsWrapAround) {
  EXPECT_OK(borrower_.TakeOnce({.slot = 0, .generation = UINT32_MAX}));
  EXPECT_OK(borrower_.TakeOnce({.slot = 0, .generation = 1}));
  EXPECT_THAT(borrower_.TakeOnce({.slot = 0, .generation = UINT32_MAX}), StatusIs(absl::StatusCode::kInvalidArgument));
}

// A slot passes from objects to messages and back; a message may have been sent more than once.
TEST_F(BorrowerTest, MessagesAreTakenAsOftenAsTheyWereSent) {
  EXPECT_OK(borrower_.TakeOnce({.slot = 0, .generation = 1}));
  EXPECT_OK(borrower_.Take({.slot = 0, .generation = 2}));
  EXPECT_OK(borrower_.Take({.slot = 0, .generation = 2}));
  EXPECT_THAT(borrower_.TakeOnce({.slot = 0, .generation = 2}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_OK(borrower_.TakeOnce({.slot = 0, .generation = 3}));
  EXPECT_EQ(released_[0], 4u);
}

// H3
TEST_F(BorrowerTest, RefusesASlotThatThereIsNot) {
  for (const uint32_t slot : {3u, 4u, UINT32_MAX}) {
    EXPECT_THAT(borrower_.TakeOnce({.slot = slot, .generation = 1}),
                StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("slot "), HasSubstr("of 3"))));
    EXPECT_THAT(borrower_.Take({.slot = slot, .generation = 1}), StatusIs(absl::StatusCode::kDataLoss));
  }
}

}  // namespace
}  // namespace ipc::internal
