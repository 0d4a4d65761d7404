#include "ipc_util/internal/random.h"

#include <cstdint>
#include <set>

#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

TEST(RandomTest, NumbersDiffer) {
  ::ipc::internal::Random one;
  ::ipc::internal::Random other;
  std::set<uint64_t> numbers;
  for (int i = 0; i < 1000; ++i) {
    numbers.insert(one.Next());
    numbers.insert(other.Next());
  }
  EXPECT_EQ(numbers.size(), 2000u);
}

}  // namespace
}  // namespace ipc::testing
