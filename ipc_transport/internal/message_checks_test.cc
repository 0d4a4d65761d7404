#include "ipc_transport/internal/message_checks.h"

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
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
using testing::IsOkAndHolds;
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

TEST(MessageChecksTest, ABatchGoesAsFarAsTheLimitAllows) {
  const std::byte bytes[7] = {};
  const Blob small = absl::MakeConstSpan(bytes, 3);
  const Blob large = absl::MakeConstSpan(bytes, 4);
  const auto count_of = [](std::vector<Blob> messages) -> absl::StatusOr<size_t> {
    const absl::StatusOr<absl::Span<const Blob>> fitting = WithinLimit(messages, 3);
    if (!fitting.ok()) return fitting.status();
    return fitting->size();
  };
  EXPECT_THAT(count_of({small, small}), IsOkAndHolds(2u));
  EXPECT_THAT(count_of({small, large, small}), IsOkAndHolds(1u));
  EXPECT_THAT(count_of({}), IsOkAndHolds(0u));
  EXPECT_THAT(count_of({large, small}),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("4 bytes"), HasSubstr("3 bytes"))));
}

TEST(MessageChecksTest, VersionsMustMeet) {
  for (const VersionRange peer : {VersionRange{2, 4}, {1, 2}, {4, 9}, {3, 3}, {1, 9}}) {
    EXPECT_OK(CheckCommonVersion("x protocol", {2, 4}, peer));
  }
  for (const VersionRange peer : {VersionRange{1, 1}, {5, 5}, {9, 12}}) {
    const absl::Status status = CheckCommonVersion("x protocol", {2, 4}, peer);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                                 AllOf(HasSubstr("the x protocol: here 2 to 4"),
                                       HasSubstr(absl::StrCat("the peer ", peer.oldest, " to ", peer.newest)))));
    EXPECT_EQ(ReasonOf(status), Reason::kWrongVersion);
  }
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
