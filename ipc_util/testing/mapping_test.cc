#include "ipc_util/testing/mapping.h"

#include <sys/mman.h>

#include <cstddef>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr size_t kPage = 4096;

TEST(MappingTest, TellsOfTheOneThatTheAddressLiesIn) {
  void* const pages = mmap(nullptr, 2 * kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  const Mapping mapping = MappingAt(static_cast<std::byte*>(pages) + 2 * kPage - 1);
  EXPECT_THAT(mapping.head, HasSubstr(" r--p "));
  EXPECT_THAT(mapping.flags, AllOf(Contains("rd"), Not(Contains("wr"))));
  EXPECT_EQ(mapping.page_bytes, kPage);
  munmap(pages, 2 * kPage);
}

TEST(MappingTest, OfNoneIsEmpty) {
  const Mapping mapping = MappingAt(nullptr);
  EXPECT_EQ(mapping.head, "");
  EXPECT_THAT(mapping.flags, IsEmpty());
  EXPECT_EQ(mapping.page_bytes, 0u);
}

}  // namespace
}  // namespace ipc::testing
