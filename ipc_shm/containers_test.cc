#include "ipc_shm/containers.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/allocation_error.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/testing/placed_arena.h"

namespace ipc::testing {
namespace {

using ::ipc::shm::ArenaScope;
using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

// Longer than a string object holds.
std::string Long(int number) { return "a text of some length, number " + std::to_string(number); }
shm::string LongIn(const PlacedArena& placed, int number) {
  return shm::string(Long(number), shm::Allocator<char>(placed.arena()));
}

template <typename Container>
Container MakeIn(const PlacedArena& placed) {
  const ArenaScope scope(placed.arena());
  return Container();
}

// Puts element `number` in; the container tells how by its type.
template <typename T>
void Put(shm::vector<T>& container, int number) {
  container.emplace_back(Long(number));
}
template <typename T>
void Put(shm::deque<T>& container, int number) {
  container.emplace_front(Long(number));
}
template <typename T>
void Put(shm::list<T>& container, int number) {
  container.emplace_back(Long(number));
}
void Put(shm::string& container, int number) { container += Long(number); }
template <typename Set>
  requires requires { typename Set::key_type; } && (!requires { typename Set::mapped_type; })
void Put(Set& container, int number) {
  container.emplace(Long(number));
}
template <typename Map>
  requires requires { typename Map::mapped_type; }
void Put(Map& container, int number) {
  container.emplace(Long(number), Long(-number));
}

template <typename Container>
class ContainersTest : public ::testing::Test {};

using Kinds = ::testing::Types<shm::vector<shm::string>, shm::deque<shm::string>, shm::list<shm::string>, shm::string,
                               shm::set<shm::string>, shm::multiset<shm::string>, shm::unordered_set<shm::string>,
                               shm::map<shm::string, shm::string>, shm::multimap<shm::string, shm::string>,
                               shm::unordered_map<shm::string, shm::string>>;
TYPED_TEST_SUITE(ContainersTest, Kinds);

// Few: they take long to compile.
template <typename Container>
class NestedContainersTest : public ::testing::Test {};

using NestedKinds =
    ::testing::Types<shm::string, shm::deque<shm::string>, shm::unordered_map<shm::string, shm::string>>;
TYPED_TEST_SUITE(NestedContainersTest, NestedKinds);

template <typename Container>
Container FilledIn(const PlacedArena& placed) {
  Container container = MakeIn<Container>(placed);
  for (int i = 0; i < 100; ++i) Put(container, i);
  return container;
}

TYPED_TEST(ContainersTest, GrowsAndShrinksOutsideAnyScope) {
  const PlacedArena placed = PlacedArena::Create();
  {
    TypeParam container = MakeIn<TypeParam>(placed);
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 300; ++i) Put(container, i);
      EXPECT_EQ(static_cast<size_t>(std::distance(container.begin(), container.end())), container.size());
      EXPECT_GT(placed.blocks(), 0u);
      container.clear();
      EXPECT_TRUE(container.empty());
    }
    for (int i = 0; i < 10; ++i) Put(container, i);
    container.erase(container.begin());
  }
  EXPECT_EQ(placed.blocks(), 0u) << "every block came back";
}

TYPED_TEST(ContainersTest, CopiesMovesAndAssignmentsBetweenArenasKeepEachInItsOwn) {
  const PlacedArena a = PlacedArena::Create();
  const PlacedArena b = PlacedArena::Create();
  {
    const TypeParam original = FilledIn<TypeParam>(a);
    TypeParam copy = MakeIn<TypeParam>(b);
    copy = original;
    EXPECT_TRUE(copy == original);
    const size_t blocks_of_one = a.blocks();
    EXPECT_EQ(b.blocks(), blocks_of_one);

    TypeParam moved = MakeIn<TypeParam>(a);
    Put(moved, 7);
    moved = std::move(copy);
    EXPECT_TRUE(moved == original);
    EXPECT_EQ(a.blocks(), 2 * blocks_of_one) << "the move copied";
    EXPECT_EQ(moved.get_allocator(), original.get_allocator());

    const TypeParam stolen = std::move(moved);
    // An empty deque has two.
    EXPECT_LE(a.blocks(), 2 * blocks_of_one + 2) << "the move inside the arena did not";
    EXPECT_TRUE(stolen == original);

    const ArenaScope scope(b.arena());
    const TypeParam copy_under_scope = original;
    EXPECT_TRUE(copy_under_scope == original);
    EXPECT_NE(copy_under_scope.get_allocator(), original.get_allocator());
  }
  EXPECT_EQ(a.blocks(), 0u);
  EXPECT_EQ(b.blocks(), 0u);
}

TYPED_TEST(ContainersTest, SwapsInsideAnArenaAndNotBetweenTwo) {
  const PlacedArena a = PlacedArena::Create();
  const PlacedArena b = PlacedArena::Create();
  TypeParam filled = FilledIn<TypeParam>(a);
  const TypeParam copy = filled;
  TypeParam empty = MakeIn<TypeParam>(a);
  swap(filled, empty);
  EXPECT_TRUE(filled.empty());
  EXPECT_TRUE(empty == copy);
  TypeParam elsewhere = MakeIn<TypeParam>(b);
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // A forked child has no regions.
  EXPECT_DEATH(empty.swap(elsewhere), "containers of different arenas were swapped");
}

TYPED_TEST(ContainersTest, WithoutAnArenaItHasNoMemory) {
  EXPECT_THROW(
      {
        TypeParam container;  // A deque wants some even here.
        Put(container, 1);
      },
      shm::NoArena);
}

TYPED_TEST(NestedContainersTest, LivesInsideAnother) {
  const PlacedArena placed = PlacedArena::Create();
  {
    auto nested = MakeIn<shm::map<int, shm::vector<shm::list<TypeParam>>>>(placed);
    Put(nested[1].emplace_back().emplace_back(), 5);
    Put(nested[1][0].front(), 6);
    nested[2] = nested[1];
    nested[2].resize(20);
    EXPECT_TRUE(nested[1][0] == nested[2][0]);
    EXPECT_EQ(nested[2][0].front().get_allocator(), nested.get_allocator());
  }
  EXPECT_EQ(placed.blocks(), 0u);
}

TYPED_TEST(NestedContainersTest, AnOptionalOneIsMadeInItsArena) {
  const PlacedArena placed = PlacedArena::Create();
  {
    auto slots = MakeIn<shm::vector<shm::optional<TypeParam>>>(placed);
    slots.resize(3);
    Put(slots[1].emplace(), 5);
    slots.resize(100);
    slots[2] = slots[1];
    EXPECT_TRUE(slots[2] == slots[1]);
    EXPECT_FALSE(slots[2] == slots[0]);
    EXPECT_EQ(slots[2]->get_allocator(), slots.get_allocator());
    slots[1].reset();
    EXPECT_FALSE(slots[1].has_value());
  }
  EXPECT_EQ(placed.blocks(), 0u);
}

TEST(StringTest, ExchangesTextWithTheHeap) {
  const PlacedArena placed = PlacedArena::Create();
  shm::string text = MakeIn<shm::string>(placed);
  const std::string on_the_heap = Long(1);
  text = on_the_heap;
  EXPECT_EQ(text, on_the_heap);
  EXPECT_TRUE(placed.region().Contains(text.data()));
  EXPECT_EQ(std::string(text), on_the_heap);
  EXPECT_EQ((text + "!").get_allocator(), text.get_allocator());
  text.assign(std::string_view(Long(2)).substr(2));
  EXPECT_EQ(text, Long(2).substr(2));
}

TEST(VectorTest, TakesRangesFromTheHeap) {
  const PlacedArena placed = PlacedArena::Create();
  const std::vector<std::string> on_the_heap = {Long(1), Long(2)};
  auto strings = MakeIn<shm::vector<shm::string>>(placed);
  strings.assign(on_the_heap.begin(), on_the_heap.end());
  strings.insert(strings.begin(), on_the_heap.begin(), on_the_heap.end());
  EXPECT_THAT(strings, ElementsAre(Long(1), Long(2), Long(1), Long(2)));
  EXPECT_EQ(std::vector<std::string>(strings.begin(), strings.end()).back(), Long(2));
  std::sort(strings.begin(), strings.end());
  strings.erase(std::unique(strings.begin(), strings.end()), strings.end());
  EXPECT_THAT(strings, ElementsAre(Long(1), Long(2)));
}

TEST(MapTest, LooksUpByViewsAndNeedsNoScope) {
  const PlacedArena placed = PlacedArena::Create();
  auto ordered = MakeIn<shm::map<shm::string, int>>(placed);
  auto hashed = MakeIn<shm::unordered_map<shm::string, int>>(placed);
  for (int i = 0; i < 1000; ++i) {
    ordered.emplace(Long(i), i);
    hashed.emplace(Long(i), i);
  }
  const size_t blocks = placed.blocks();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(ordered.find(std::string_view(Long(i)))->second, i);
    EXPECT_EQ(hashed.find(std::string_view(Long(i)))->second, i);
    EXPECT_EQ(hashed.find(Long(i).c_str())->second, i);
  }
  EXPECT_EQ(ordered.count(Long(1000)) + hashed.count(Long(1000)), 0u);
  EXPECT_EQ(placed.blocks(), blocks);
}

TEST(MapTest, EmplacesValuesOfAllKinds) {
  const PlacedArena placed = PlacedArena::Create();
  using Value = std::tuple<shm::string, shm::vector<int>>;
  auto map = MakeIn<shm::unordered_map<std::pair<int, shm::string>, Value>>(placed);
  map.emplace(std::piecewise_construct, std::forward_as_tuple(1, Long(1)),
              std::forward_as_tuple(Long(2), std::initializer_list<int>{1, 2}));
  const auto& [key, value] = *map.begin();
  EXPECT_THAT(key, Pair(1, Long(1)));
  EXPECT_EQ(std::get<0>(value), Long(2));
  EXPECT_THAT(std::get<1>(value), ElementsAre(1, 2));
  for (const void* data :
       {static_cast<const void*>(key.second.data()), static_cast<const void*>(std::get<0>(value).data()),
        static_cast<const void*>(std::get<1>(value).data())}) {
    EXPECT_TRUE(placed.region().Contains(data));
  }
}

TEST(MapTest, NodesChangeTheirMapInsideAnArena) {
  const PlacedArena placed = PlacedArena::Create();
  auto from = MakeIn<shm::map<shm::string, shm::vector<int>>>(placed);
  auto to = MakeIn<shm::map<shm::string, shm::vector<int>>>(placed);
  from.emplace(Long(1), std::initializer_list<int>{1});
  to.insert(from.extract(from.begin()));
  EXPECT_THAT(to, ElementsAre(Pair(Long(1), ElementsAre(1))));
  from.merge(to);
  EXPECT_THAT(from, SizeIs(1));
}

TEST(DequeTest, KeepsItsOrderOverManyChunks) {
  const PlacedArena placed = PlacedArena::Create();
  auto numbers = MakeIn<shm::deque<int>>(placed);
  for (int i = 0; i < 5000; ++i) {
    numbers.push_back(i);
    numbers.push_front(-i);
  }
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), 0), 0);
}

TEST(ListTest, SplicesInsideAnArena) {
  const PlacedArena placed = PlacedArena::Create();
  auto a = MakeIn<shm::list<shm::string>>(placed);
  auto b = MakeIn<shm::list<shm::string>>(placed);
  a.emplace_back(Long(1));
  b.emplace_back(Long(2));
  a.splice(a.end(), b);
  EXPECT_THAT(a, ElementsAre(Long(1), Long(2)));
}

TEST(ListTest, SortsAndMergesWithoutAScope) {
  const PlacedArena placed = PlacedArena::Create();
  auto a = MakeIn<shm::list<shm::string>>(placed);
  auto b = MakeIn<shm::list<shm::string>>(placed);
  for (int i = 9; i >= 0; --i) (i % 2 == 0 ? a : b).emplace_back(Long(i));
  a.sort();
  b.sort();
  a.merge(b);
  EXPECT_THAT(a, SizeIs(10));
  EXPECT_TRUE(std::is_sorted(a.begin(), a.end()));
  a.remove_if([](const shm::string& text) { return text == Long(3); });
  a.reverse();
  EXPECT_EQ(a.front(), Long(9));
  EXPECT_THAT(a, SizeIs(9));
}

TEST(VectorTest, BitsToo) {
  const PlacedArena placed = PlacedArena::Create();
  auto bits = MakeIn<shm::vector<bool>>(placed);
  bits.resize(1000);
  bits[999] = true;
  EXPECT_EQ(std::count(bits.begin(), bits.end(), true), 1);
  EXPECT_EQ(placed.blocks(), 1u);
}

TEST(VectorTest, AFullArenaLeavesWhatThereIs) {
  const PlacedArena placed = PlacedArena::Create();
  auto strings = MakeIn<shm::vector<shm::string>>(placed);
  const std::string large(1000, 'x');
  EXPECT_THROW(while (true) { strings.emplace_back(large); }, shm::ArenaFull);
  EXPECT_GT(strings.size(), 1000u);
  EXPECT_TRUE(std::all_of(strings.begin(), strings.end(), [&](const shm::string& text) { return text == large; }));
  strings.resize(strings.size() / 4);
  strings.shrink_to_fit();
  strings.emplace_back(large);
}

TEST(ContainersTest, MovesOfElementsAreCheapInsideAnArena) {
  const PlacedArena placed = PlacedArena::Create();
  auto strings = MakeIn<shm::vector<shm::string>>(placed);
  strings.push_back(LongIn(placed, 1));
  const char* const text = strings[0].data();
  for (int i = 0; i < 100; ++i) strings.push_back(LongIn(placed, i));
  EXPECT_EQ(strings[0].data(), text) << "growth moves";
}

}  // namespace
}  // namespace ipc::testing
