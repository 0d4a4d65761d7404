#include "ipc_shm/internal/unit_bitmap.h"

#include <cstddef>
#include <optional>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace ipc::internal {
namespace {

TEST(UnitBitmapTest, IsClearAtFirst) {
  const UnitBitmap bitmap(200);
  EXPECT_EQ(bitmap.size(), 200u);
  EXPECT_EQ(bitmap.CountSet(0, 200), 0u);
  EXPECT_EQ(bitmap.NextSet(0), 200u);
  EXPECT_EQ(bitmap.NextClear(0), 0u);
}

TEST(UnitBitmapTest, NothingComesAfterTheEnd) {
  UnitBitmap bitmap(65);
  EXPECT_EQ(bitmap.NextSet(65), 65u);
  EXPECT_EQ(bitmap.NextClear(65), 65u);
  EXPECT_EQ(bitmap.FindClearRun(65, 1), std::nullopt);
  bitmap.Set(0, 65);
  EXPECT_EQ(bitmap.NextClear(0), 65u);
  EXPECT_EQ(bitmap.FindClearRun(0, 1), std::nullopt);
}

TEST(UnitBitmapTest, FindsTheFirstRunThatIsLongEnough) {
  UnitBitmap bitmap(256);
  bitmap.Set(0, 10);
  bitmap.Set(13, 60);
  bitmap.Set(140, 1);
  EXPECT_EQ(bitmap.FindClearRun(0, 3), 10u);
  EXPECT_EQ(bitmap.FindClearRun(0, 4), 73u);
  EXPECT_EQ(bitmap.FindClearRun(0, 67), 73u);
  EXPECT_EQ(bitmap.FindClearRun(0, 68), 141u);
  EXPECT_EQ(bitmap.FindClearRun(0, 115), 141u);
  EXPECT_EQ(bitmap.FindClearRun(0, 116), std::nullopt);
}

// Against a vector of bool, ranges across words included.
TEST(UnitBitmapTest, DoesAsAModelDoes) {
  constexpr size_t kSize = 300;
  std::mt19937 random(1);
  UnitBitmap bitmap(kSize);
  std::vector<bool> model(kSize);
  const auto next = [&](size_t from, bool value) {
    while (from < kSize && model[from] != value) ++from;
    return from;
  };
  for (int round = 0; round < 2000; ++round) {
    const size_t first = random() % kSize;
    const size_t count = random() % (kSize - first + 1);
    const bool value = random() % 2 == 0;
    if (value) bitmap.Set(first, count);
    if (!value) bitmap.Clear(first, count);
    for (size_t i = first; i < first + count; ++i) model[i] = value;

    const size_t from = random() % kSize;
    ASSERT_EQ(bitmap.NextSet(from), next(from, true));
    ASSERT_EQ(bitmap.NextClear(from), next(from, false));
    size_t set = 0;
    for (size_t i = first; i < kSize; ++i) set += model[i];
    ASSERT_EQ(bitmap.CountSet(first, kSize - first), set);
  }
}

}  // namespace
}  // namespace ipc::internal
