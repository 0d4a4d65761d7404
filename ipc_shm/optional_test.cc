#include "ipc_shm/optional.h"

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "gtest/gtest.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/testing/placed_arena.h"

namespace ipc::testing {
namespace {

using ::ipc::shm::ArenaScope;
using Text = shm::optional<shm::string>;

static_assert(std::is_same_v<shm::optional<int>, std::optional<int>>);
static_assert(std::uses_allocator_v<Text, shm::Allocator<int>>);

const std::string kLong = "a text that is too long to lie inside a string object";

Text EmptyIn(const PlacedArena& placed) {
  const ArenaScope scope(placed.arena());
  return Text();
}

TEST(OptionalTest, HoldsWhatItIsGivenInItsArena) {
  const PlacedArena placed = PlacedArena::Create();
  {
    Text text = EmptyIn(placed);
    EXPECT_FALSE(text);
    EXPECT_EQ(text, std::nullopt);
    EXPECT_THROW(text.value(), std::bad_optional_access);
    text = kLong;
    EXPECT_EQ(text, kLong);
    EXPECT_EQ(text->size(), kLong.size());
    EXPECT_TRUE(placed.region().Contains(text->data()));
    text.emplace(30, 'x');
    EXPECT_EQ(*text, std::string(30, 'x'));
    text = "short";
    EXPECT_EQ(text.value(), "short");
    text = std::nullopt;
    EXPECT_FALSE(text.has_value());
    text.emplace(kLong);
  }
  EXPECT_EQ(placed.blocks(), 0u);
}

TEST(OptionalTest, CopiesAndMoves) {
  const PlacedArena a = PlacedArena::Create();
  const PlacedArena b = PlacedArena::Create();
  {
    Text in_a = EmptyIn(a);
    in_a = kLong;
    Text in_b = EmptyIn(b);
    in_b = in_a;
    EXPECT_EQ(in_b, in_a);
    EXPECT_TRUE(b.region().Contains(in_b.value().data()));
    const char* const data = in_a->data();
    Text moved = std::move(in_a);
    EXPECT_EQ(moved.value().data(), data);
    swap(moved, in_b);
    EXPECT_TRUE(a.region().Contains(moved.value().data()));
    EXPECT_TRUE(b.region().Contains(in_b.value().data()));
    EXPECT_EQ(moved, in_b);
    in_b = EmptyIn(a);
    EXPECT_FALSE(in_b);
    EXPECT_LT(in_b, moved);
  }
  EXPECT_EQ(a.blocks(), 0u);
  EXPECT_EQ(b.blocks(), 0u);
}

struct Entry {
  int number = 0;
  shm::string name;
};

TEST(OptionalTest, MembersOfAPlainStructureLieInItsArena) {
  const PlacedArena placed = PlacedArena::Create();
  shm::optional<Entry> entry{shm::Allocator<Entry>(placed.arena())};
  entry.emplace().name = kLong;
  EXPECT_TRUE(placed.region().Contains(entry->name.data()));
}

TEST(OptionalTest, IsEmptyWhenMakingItsValueThrows) {
  const PlacedArena placed = PlacedArena::Create();
  Text text = EmptyIn(placed);
  text = kLong;
  EXPECT_THROW(text.emplace(kPlacedArenaLimit + 1, 'x'), std::bad_alloc);
  EXPECT_FALSE(text);
  EXPECT_EQ(placed.blocks(), 0u);
}

}  // namespace
}  // namespace ipc::testing
