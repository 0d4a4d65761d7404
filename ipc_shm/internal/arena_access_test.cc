#include "ipc_shm/internal/arena_access.h"

#include <cstring>
#include <new>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/allocation_error.h"
#include "ipc_shm/testing/placed_arena.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::AllocateInArena;
using ::ipc::internal::ArenaHeader;
using ::ipc::internal::FreeInArena;
using ::ipc::internal::HeaderOf;
using ::testing::HasSubstr;

// What the allocation threw, "" if nothing.
template <typename Error>
std::string Thrown(const ArenaHeader* header, size_t bytes) {
  try {
    FreeInArena(header, AllocateInArena(header, bytes, 8), bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ArenaAccessTest, AHeaderLeadsToBlocksOfItsArena) {
  const PlacedArena placed = PlacedArena::Create();
  const ArenaHeader* const header = HeaderOf(placed.arena());
  void* const block = AllocateInArena(header, 100, 64);
  EXPECT_TRUE(placed.region().Contains(block));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
  std::memset(block, 1, 100);
  EXPECT_EQ(placed.blocks(), 1u);
  FreeInArena(header, block, 100);
  EXPECT_EQ(placed.blocks(), 0u);
}

TEST(ArenaAccessTest, WithoutAnArenaThereIsNoMemory) {
  PlacedArena placed = PlacedArena::Create();
  const ArenaHeader* const header = HeaderOf(placed.arena());
  void* const block = AllocateInArena(header, 100, 8);
  placed.Close();
  EXPECT_THAT(Thrown<shm::NoArena>(header, 8), HasSubstr("is closed"));
  EXPECT_THAT(Thrown<shm::NoArena>(nullptr, 8), HasSubstr("make it under an ArenaScope"));
  EXPECT_THAT(Thrown<std::bad_alloc>(nullptr, 8), HasSubstr("NoArena"));
  FreeInArena(header, block, 100);  // Nothing happens.
}

TEST(ArenaAccessTest, AFullArenaTellsItsFigures) {
  const PlacedArena placed = PlacedArena::Create();
  const ArenaHeader* const header = HeaderOf(placed.arena());
  EXPECT_THAT(Thrown<shm::ArenaFull>(header, kPlacedArenaLimit + 1),
              HasSubstr("the arena has no room for 8388609 bytes: 0 of its 8388608 are allocated"));
  EXPECT_THAT(Thrown<std::bad_alloc>(header, kPlacedArenaLimit + 1), HasSubstr("SessionOptions::arena_bytes"));
  EXPECT_EQ(Thrown<shm::ArenaFull>(header, kPlacedArenaLimit / 2), "");
}

}  // namespace
}  // namespace ipc::testing
