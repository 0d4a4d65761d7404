#include "ipc_transport/structured/internal/heap_bytes.h"

#include <cstring>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

// The sanitizers' allocators give up rather than return null, if they are not told.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

HeapBytes Filled(size_t bytes, int value) {
  HeapBytes result;
  EXPECT_THAT(result.Grow(bytes), IsOk());
  std::memset(result.data(), value, bytes);
  return result;
}

TEST(HeapBytesTest, BeginsEmpty) {
  HeapBytes bytes;
  EXPECT_EQ(bytes.data(), nullptr);
  EXPECT_EQ(bytes.size(), 0u);
  EXPECT_TRUE(bytes.first(0).empty());
}

TEST(HeapBytesTest, KeepsItsContentAsItGrows) {
  HeapBytes bytes = Filled(100, 7);
  for (const size_t size : {size_t{101}, size_t{5000}, size_t{4} << 20}) {
    ASSERT_OK(bytes.Grow(size));
    EXPECT_EQ(bytes.size(), size);
    EXPECT_THAT(bytes.first(100), ::testing::Each(std::byte{7}));
    std::memset(bytes.data() + 100, 8, size - 100);
  }
}

TEST(HeapBytesTest, MovesItsMemory) {
  HeapBytes from = Filled(100, 7);
  const std::byte* const data = from.data();
  HeapBytes to = std::move(from);
  EXPECT_EQ(to.data(), data);
  EXPECT_EQ(to.size(), 100u);
  EXPECT_EQ(from.data(), nullptr);
  EXPECT_EQ(from.size(), 0u);

  HeapBytes other = Filled(10, 1);
  other = std::move(to);
  EXPECT_EQ(other.data(), data);
  EXPECT_EQ(to.data(), nullptr);
  EXPECT_EQ(to.size(), 0u);
}

// M3
TEST(HeapBytesTest, NoMemoryChangesNothing) {
  HeapBytes bytes = Filled(100, 7);
  const std::byte* const data = bytes.data();
  // Through a variable, so that the compiler does not see that it is absurd.
  volatile size_t too_much = size_t{1} << 60;
  EXPECT_THAT(bytes.Grow(too_much),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("1152921504606846976 bytes")));
  EXPECT_EQ(bytes.data(), data);
  EXPECT_EQ(bytes.size(), 100u);
  EXPECT_THAT(bytes.first(100), ::testing::Each(std::byte{7}));
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
