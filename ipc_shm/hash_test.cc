#include "ipc_shm/hash.h"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::HashBytes;
using ::ipc::shm::Hash;

constexpr Hash kHash;

enum class Colour : uint8_t { kRed = 3 };

struct Point {
  int x;
  int y;
  std::string note;  // No part of its identity.
};
uint64_t SluiceHashValue(const Point& point) { return Hash::Of(point.x, point.y); }

TEST(HashTest, EqualValuesOfDifferentTypesHaveOneHash) {
  EXPECT_EQ(kHash(-5), kHash(int64_t{-5}));
  EXPECT_EQ(kHash(5u), kHash(int8_t{5}));
  EXPECT_EQ(kHash(Colour::kRed), kHash(3));
  EXPECT_EQ(kHash("text"), kHash(std::string("text")));
  EXPECT_EQ(kHash("text"), kHash(std::string_view("text")));
  EXPECT_EQ(kHash(0.0), kHash(-0.0));
  EXPECT_EQ(kHash(1.5f), kHash(1.5));
  EXPECT_EQ(kHash(std::pair(1, std::string("a"))), kHash(std::pair(int64_t{1}, std::string_view("a"))));
}

TEST(HashTest, OrderAndBordersCount) {
  EXPECT_NE(kHash(std::pair(1, 2)), kHash(std::pair(2, 1)));
  EXPECT_NE(kHash(std::pair(std::string("ab"), std::string("c"))),
            kHash(std::pair(std::string("a"), std::string("bc"))));
  EXPECT_NE(kHash(std::string("a")), kHash(std::string("a\0", 2)));
  EXPECT_NE(kHash(std::tuple(1, 2, 3)), kHash(std::tuple(1, 3, 2)));
  EXPECT_NE(kHash(std::tuple<>()), kHash(std::tuple(0)));
}

TEST(HashTest, AUsersTypeBringsItsOwn) {
  EXPECT_EQ(kHash(Point{1, 2, "a"}), kHash(Point{1, 2, "b"}));
  EXPECT_EQ(kHash(Point{1, 2, "a"}), Hash::Of(1, 2));
  EXPECT_NE(kHash(Point{1, 2, "a"}), kHash(Point{1, 3, "a"}));
}

// A change of these is one of the layout of tables in shared memory.
TEST(HashTest, ItIsTheSameInEveryProcessAndBuild) {
  EXPECT_EQ(kHash(42), 4509333891077475107u);
  EXPECT_EQ(kHash(""), 9641121506062286432u);
  EXPECT_EQ(kHash("abc"), 11409346646018958746u);
  EXPECT_EQ(kHash("a text of more than sixteen bytes"), 17236615631981018037u);
  EXPECT_EQ(kHash(2.5), 12101411898297269724u);
  EXPECT_EQ(kHash(std::pair(1, 2)), 4329984711904035631u);
}

TEST(HashTest, EveryByteAndEveryLengthCounts) {
  std::set<uint64_t> hashes;
  size_t texts = 0;
  for (size_t size = 0; size <= 70; ++size) {
    std::string text(size, 'x');
    hashes.insert(HashBytes(text.data(), size));
    ++texts;
    for (char& byte : text) {
      byte = 'y';
      hashes.insert(HashBytes(text.data(), size));
      byte = 'x';
      ++texts;
    }
  }
  EXPECT_EQ(hashes.size(), texts);
}

TEST(HashTest, NeighboursSpreadOverSmallTables) {
  for (const size_t step : {size_t{1}, size_t{8}, size_t{4096}, size_t{1} << 32}) {
    std::set<size_t> high;
    std::set<size_t> low;
    for (size_t i = 0; i < 256; ++i) {
      high.insert(kHash(i * step) >> 56);
      low.insert(kHash(i * step) & 255);
    }
    // 162 of 256 are what chance gives.
    EXPECT_GT(high.size(), 120u) << step;
    EXPECT_GT(low.size(), 120u) << step;
  }
}

}  // namespace
}  // namespace ipc::testing
