#include "ipc_shm/arena_scope.h"

#include <optional>
#include <thread>
#include <type_traits>

#include "gtest/gtest.h"
#include "ipc_shm/allocator.h"
#include "ipc_shm/testing/placed_arena.h"

namespace ipc::testing {
namespace {

using ::ipc::shm::Allocator;
using ::ipc::shm::ArenaScope;

static_assert(!std::is_copy_constructible_v<ArenaScope> && !std::is_move_constructible_v<ArenaScope>);
static_assert(!std::is_copy_assignable_v<ArenaScope> && !std::is_move_assignable_v<ArenaScope>);

const ::ipc::internal::ArenaHeader* Scoped() { return Allocator<int>().header(); }

TEST(ArenaScopeTest, TheInnermostScopeCountsAndEndsWhereItBegan) {
  const PlacedArena a = PlacedArena::Create();
  const PlacedArena b = PlacedArena::Create();
  EXPECT_EQ(Scoped(), nullptr);
  {
    const ArenaScope outer(a.arena());
    EXPECT_EQ(Scoped(), a.arena().header());
    {
      const ArenaScope inner(b.arena());
      EXPECT_EQ(Scoped(), b.arena().header());
      const ArenaScope same(b.arena());
      EXPECT_EQ(Scoped(), b.arena().header());
    }
    EXPECT_EQ(Scoped(), a.arena().header());
  }
  EXPECT_EQ(Scoped(), nullptr);
}

TEST(ArenaScopeTest, AScopeIsItsThreadsAlone) {
  const PlacedArena placed = PlacedArena::Create();
  const ArenaScope scope(placed.arena());
  const ::ipc::internal::ArenaHeader* elsewhere = placed.arena().header();
  std::thread([&] { elsewhere = Scoped(); }).join();
  EXPECT_EQ(elsewhere, nullptr);
  EXPECT_EQ(Scoped(), placed.arena().header());
}

TEST(ArenaScopeTest, AnExceptionEndsIt) {
  const PlacedArena placed = PlacedArena::Create();
  EXPECT_THROW(
      {
        const ArenaScope scope(placed.arena());
        throw 1;
      },
      int);
  EXPECT_EQ(Scoped(), nullptr);
}

}  // namespace
}  // namespace ipc::testing
