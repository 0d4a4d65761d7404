#include "ipc_shm/allocator.h"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "ipc_shm/allocation_error.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/testing/placed_arena.h"

namespace ipc::testing {
namespace {

using ::ipc::shm::Allocator;
using ::ipc::shm::ArenaFull;
using ::ipc::shm::ArenaScope;
using ::ipc::shm::NoArena;

using String = std::basic_string<char, std::char_traits<char>, Allocator<char>>;
using Strings = std::vector<String, Allocator<String>>;

using Traits = std::allocator_traits<Allocator<int>>;
static_assert(!Traits::is_always_equal::value);
static_assert(!Traits::propagate_on_container_copy_assignment::value);
static_assert(!Traits::propagate_on_container_move_assignment::value);
static_assert(sizeof(Strings) == 8 + 3 * sizeof(void*));

const std::string kLong = "a text that is too long to lie inside a string object";

Strings ThreeIn(const PlacedArena& placed) {
  Strings strings{Allocator<String>(placed.arena())};
  for (int i = 0; i < 3; ++i) strings.emplace_back(kLong);
  return strings;
}

TEST(AllocatorTest, BlocksLieInTheArenaItWasMadeFor) {
  const PlacedArena placed = PlacedArena::Create();
  Allocator<double> allocator(placed.arena());
  double* const block = allocator.allocate(7);
  EXPECT_TRUE(placed.region().Contains(block));
  EXPECT_EQ(placed.arena().stats().allocated_bytes, 7 * sizeof(double));
  Allocator<double>(allocator).deallocate(block, 7);
  EXPECT_EQ(placed.blocks(), 0u);
}

struct alignas(1024) Wide {
  std::byte bytes[1024];
};

TEST(AllocatorTest, BlocksAreAlignedAsTheirTypeIs) {
  const PlacedArena placed = PlacedArena::Create();
  std::vector<Wide, Allocator<Wide>> wide{Allocator<Wide>(placed.arena())};
  for (int i = 0; i < 10; ++i) wide.emplace_back();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(wide.data()) % alignof(Wide), 0u);
}

TEST(AllocatorTest, AllocatorsOfOneArenaAreEqual) {
  const PlacedArena a = PlacedArena::Create();
  const PlacedArena b = PlacedArena::Create();
  EXPECT_EQ(Allocator<int>(a.arena()), Allocator<char>(a.arena()));
  EXPECT_NE(Allocator<int>(a.arena()), Allocator<int>(b.arena()));
  EXPECT_NE(Allocator<int>(a.arena()), Allocator<int>());
  EXPECT_EQ(Allocator<char>(Allocator<int>(a.arena())), Allocator<int>(a.arena()));
}

TEST(AllocatorTest, NothingFallsBackToTheHeap) {
  String in_no_arena = "short";
  EXPECT_THROW(in_no_arena = kLong, NoArena);
  EXPECT_EQ(in_no_arena, "short");
  Strings strings;
  EXPECT_THROW(strings.emplace_back(), NoArena);
  EXPECT_THROW(strings.reserve(1), std::bad_alloc);
}

TEST(AllocatorTest, AFullArenaLeavesTheContainerAsItWas) {
  const PlacedArena placed = PlacedArena::Create();
  std::vector<char, Allocator<char>> bytes({1, 2, 3}, Allocator<char>(placed.arena()));
  EXPECT_THROW(bytes.resize(kPlacedArenaLimit), ArenaFull);
  EXPECT_EQ(bytes.size(), 3u);
  EXPECT_THROW(static_cast<void>(Allocator<int>(placed.arena()).allocate(std::numeric_limits<size_t>::max() / 2)),
               std::bad_array_new_length);
}

TEST(AllocatorTest, AMoveIntoAFullArenaThrowsAndLeavesBothAsTheyWere) {
  const PlacedArena full = PlacedArena::Create();
  const PlacedArena other = PlacedArena::Create();
  Strings strings{Allocator<String>(full.arena())};
  strings.reserve(1);
  String large(kPlacedArenaLimit / 4, 'x', Allocator<char>(other.arena()));
  std::vector<char, Allocator<char>> filling(kPlacedArenaLimit / 4 * 3 + 1, Allocator<char>(full.arena()));
  EXPECT_THROW(strings.push_back(std::move(large)), ArenaFull);
  EXPECT_TRUE(strings.empty());
  EXPECT_EQ(large.size(), kPlacedArenaLimit / 4);
}

TEST(AllocatorTest, WhatAContainerMakesInsideItselfLiesInItsArena) {
  const PlacedArena placed = PlacedArena::Create();
  std::vector<Strings, Allocator<Strings>> nested{Allocator<Strings>(placed.arena())};
  nested.emplace_back().emplace_back(kLong);
  nested.emplace_back(2, kLong.c_str());
  nested[1].resize(5);
  nested[1].back().append(kLong);
  for (const Strings& strings : nested) {
    EXPECT_EQ(strings.get_allocator().header(), placed.arena().header());
    for (const String& string : strings) EXPECT_EQ(string.get_allocator().header(), placed.arena().header());
  }
}

struct Entry {
  int number = 0;
  String name;
  Strings words;
};

TEST(AllocatorTest, MembersOfPlainStructuresLieInTheContainersArena) {
  const PlacedArena a = PlacedArena::Create();
  const PlacedArena b = PlacedArena::Create();
  std::vector<Entry, Allocator<Entry>> entries{Allocator<Entry>(a.arena())};
  std::map<int, Entry, std::less<>, Allocator<std::pair<const int, Entry>>> by_number{Allocator<Entry>(a.arena())};
  {
    const ArenaScope other(b.arena());
    entries.emplace_back().name = kLong;
    by_number[7].name = kLong;
    const Entry made_elsewhere = {.number = 1, .name = String(kLong), .words = {}};
    entries.push_back(made_elsewhere);
    by_number.emplace(8, made_elsewhere);
    by_number.emplace(std::piecewise_construct, std::forward_as_tuple(9), std::forward_as_tuple());
    EXPECT_EQ(Allocator<int>().header(), b.arena().header()) << "the scope is the caller's again";
  }
  for (const Entry& entry : entries) {
    EXPECT_EQ(entry.name.get_allocator().header(), a.arena().header());
    EXPECT_EQ(entry.words.get_allocator().header(), a.arena().header());
  }
  for (const auto& [number, entry] : by_number) {
    EXPECT_EQ(entry.name.get_allocator().header(), a.arena().header());
    EXPECT_EQ(entry.words.get_allocator().header(), a.arena().header());
  }
  EXPECT_EQ(b.blocks(), 0u);
}

// A user's type that takes part by the standard library's protocol.
struct Aware {
  using allocator_type = Allocator<std::byte>;
  Aware() = default;
  explicit Aware(const allocator_type& allocator) : text(allocator) {}
  Aware(const Aware& other, const allocator_type& allocator) : text(other.text, allocator) {}
  String text;
};

TEST(AllocatorTest, AllocatorAwareStructuresAreTold) {
  const PlacedArena placed = PlacedArena::Create();
  std::vector<Aware, Allocator<Aware>> aware{Allocator<Aware>(placed.arena())};
  aware.emplace_back().text = kLong;
  EXPECT_TRUE(placed.region().Contains(aware[0].text.data()));
}

TEST(AllocatorTest, ACopyLiesInTheScopesArenaElseWithItsOriginal) {
  const PlacedArena a = PlacedArena::Create();
  const PlacedArena b = PlacedArena::Create();
  const Strings original = ThreeIn(a);
  const Strings beside = original;
  EXPECT_EQ(beside.get_allocator().header(), a.arena().header());
  const ArenaScope scope(b.arena());
  const Strings copy = original;
  EXPECT_EQ(copy.get_allocator().header(), b.arena().header());
  EXPECT_TRUE(b.region().Contains(copy[0].data()));
  EXPECT_EQ(copy, original);
}

TEST(AllocatorTest, AssignmentsFromAnotherArenaCopyAndFromTheSameSteal) {
  const PlacedArena a = PlacedArena::Create();
  const PlacedArena b = PlacedArena::Create();
  Strings in_a = ThreeIn(a);
  Strings also_in_a{Allocator<String>(a.arena())};
  Strings in_b{Allocator<String>(b.arena())};
  in_b = in_a;
  EXPECT_EQ(in_b, in_a);
  in_b.clear();
  const String* const data = in_a.data();
  also_in_a = std::move(in_a);
  EXPECT_EQ(also_in_a.data(), data);
  in_b = std::move(also_in_a);
  EXPECT_EQ(in_b.size(), 3u);
  EXPECT_TRUE(b.region().Contains(in_b.data()));
  EXPECT_TRUE(b.region().Contains(in_b[2].data()));
  EXPECT_EQ(in_b.get_allocator().header(), b.arena().header());
}

TEST(AllocatorTest, SwapsInsideAnArenaExchangeMemory) {
  const PlacedArena placed = PlacedArena::Create();
  Strings a = ThreeIn(placed);
  Strings b{Allocator<String>(placed.arena())};
  const String* const data = a.data();
  swap(a, b);
  EXPECT_EQ(b.data(), data);
  EXPECT_TRUE(a.empty());
}

TEST(AllocatorDeathTest, SwapsBetweenArenasAreCaught) {
  const PlacedArena a = PlacedArena::Create();
  const PlacedArena b = PlacedArena::Create();
  Strings in_a = ThreeIn(a);
  Strings in_b{Allocator<String>(b.arena())};
  String text_in_a(kLong.c_str(), Allocator<char>(a.arena()));
  String text_in_b{Allocator<char>(b.arena())};
  EXPECT_DEATH(in_a.swap(in_b), "containers of different arenas were swapped");
  EXPECT_DEATH(std::swap(text_in_a, text_in_b), "containers of different arenas were swapped");
}

}  // namespace
}  // namespace ipc::testing
