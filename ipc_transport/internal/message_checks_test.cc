#include "ipc_transport/internal/message_checks.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

TEST(MessageChecksTest, AddsPartsUp) {
  const std::byte bytes[7] = {};
  const Blob parts[] = {absl::MakeConstSpan(bytes, 3), Blob(), absl::MakeConstSpan(bytes, 4)};
  EXPECT_EQ(TotalBytes(parts), 7u);
  EXPECT_EQ(TotalBytes({}), 0u);
}

TEST(MessageChecksTest, LimitsAreNamedWithWhatExceedsThem) {
  EXPECT_OK(CheckMessageLimits(100, 100, 16, 16));
  EXPECT_THAT(CheckMessageLimits(101, 100, 0, 16),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("101"), HasSubstr("100"))));
  EXPECT_THAT(CheckMessageLimits(0, 100, 17, 16),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("17"), HasSubstr("16"))));
  EXPECT_THAT(BufferTooSmall(101, 100),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("101"), HasSubstr("100"))));
}

TEST(MessageChecksTest, ACommitNeedsAReservationOfItsSize) {
  EXPECT_OK(CheckReservation(5, 5));
  EXPECT_OK(CheckReservation(0, 5));
  EXPECT_THAT(CheckReservation(6, 5),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("6"), HasSubstr("5"))));
  EXPECT_THAT(CheckReservation(0, std::nullopt), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(MessageChecksTest, EndsHaveTheCodesOfTheTable) {
  EXPECT_THAT(ClosedHere(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(FinishedHere(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(NothingPeeked(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(PeerFinished(), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(PeerClosed(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(PeerClosed()), Reason::kGoodbye);
  EXPECT_THAT(NothingCame(), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
