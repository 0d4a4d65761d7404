#include "ipc_shm/internal/mutable_borrow.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::internal {

struct Writable;
template <>
inline constexpr bool kMayBorrowMutable<Writable> = true;
static_assert(CheckMayBorrowMutable<Writable>());

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What the compiler said to a kind that does not allow it.
TEST(MutableBorrowTest, ARefusalSaysWhatToUseInstead) {
  std::ifstream file(std::getenv("REFUSAL_LOG"));
  const std::string log{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(log, AllOf(StartsWith("refused\n"), HasSubstr("error: "),
                         HasSubstr("maps the peer's objects for reading only; use Borrow, or a classic session")));
}

}  // namespace
}  // namespace ipc::internal
