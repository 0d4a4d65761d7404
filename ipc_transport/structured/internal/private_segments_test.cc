#include "ipc_transport/structured/internal/private_segments.h"

#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/store.h"
#include "ipc_transport/structured/testing/borrowed.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using testing::Borrowed;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

using Span = absl::Span<const std::byte>;

std::unique_ptr<BorrowedSegments> Borrow(std::vector<Span> segments) {
  return std::make_unique<Borrowed>(std::move(segments));
}

TEST(PrivateSegmentsTest, KeepsWhatWasThereAndGivesTheLoanBack) {
  std::vector<std::byte> first(16, std::byte{1});
  std::vector<std::byte> second(8, std::byte{2});
  ASSERT_OK_AND_ASSIGN(PrivateSegments copy, PrivateSegments::CopyOf(Borrow({first, second}), 24));
  EXPECT_EQ(Borrowed::alive, 0);
  std::memset(first.data(), 9, first.size());
  std::memset(second.data(), 9, second.size());
  const PrivateSegments moved = std::move(copy);
  ASSERT_EQ(moved.segments().size(), 2u);
  EXPECT_EQ(moved.segments()[0], Span(std::vector<std::byte>(16, std::byte{1})));
  EXPECT_EQ(moved.segments()[1], Span(std::vector<std::byte>(8, std::byte{2})));
  EXPECT_EQ(moved.bytes(), 24u);
}

TEST(PrivateSegmentsTest, CopiesNoMoreThanTheLimit) {
  const std::vector<std::byte> memory(24);
  EXPECT_THAT(PrivateSegments::CopyOf(Borrow({memory}), 24), IsOk());
  EXPECT_THAT(PrivateSegments::CopyOf(Borrow({memory}), 23),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("larger than the 23 bytes")));
  // Of sizes that would overflow a sum; never dereferenced.
  const Span huge = absl::MakeConstSpan(memory.data(), ~size_t{7});
  EXPECT_THAT(PrivateSegments::CopyOf(Borrow({memory, huge, huge}), 1000),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(Borrowed::alive, 0);
}

TEST(PrivateSegmentsTest, NothingIsNothing) {
  ASSERT_OK_AND_ASSIGN(const PrivateSegments copy, PrivateSegments::CopyOf(Borrow({}), 0));
  EXPECT_TRUE(copy.segments().empty());
  EXPECT_EQ(copy.bytes(), 0u);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
