#include "ipc_shm/internal/size_classes.h"

#include <cstddef>

#include "gtest/gtest.h"

namespace ipc::internal {
namespace {

TEST(SizeClassesTest, HoldSizesUpToTheLargest) {
  EXPECT_FALSE(SizeClasses::Holds(0));
  EXPECT_TRUE(SizeClasses::Holds(1));
  EXPECT_TRUE(SizeClasses::Holds(SizeClasses::kMaxBytes));
  EXPECT_FALSE(SizeClasses::Holds(SizeClasses::kMaxBytes + 1));
}

TEST(SizeClassesTest, RoomEndsWhereTheNextBlockMayBegin) {
  constexpr SizeClasses kClasses;
  EXPECT_EQ(kClasses.RoomFor(1), 16u);
  EXPECT_EQ(kClasses.RoomFor(16), 16u);
  EXPECT_EQ(kClasses.RoomFor(17), 32u);
  EXPECT_EQ(kClasses.FootprintOf(17), 32u);
  EXPECT_EQ(kClasses.RoomFor(512), 512u);
  EXPECT_EQ(kClasses.RoomFor(513), 513u);
}

TEST(SizeClassesTest, LeaveRoomForWhatTheHeapAdds) {
  constexpr SizeClasses kClasses(8, 40);
  EXPECT_EQ(kClasses.RoomFor(1), 40u);
  EXPECT_EQ(kClasses.FootprintOf(1), 48u);
  EXPECT_EQ(kClasses.RoomFor(33), 40u);
  EXPECT_EQ(kClasses.FootprintOf(33), 48u);
  EXPECT_EQ(kClasses.RoomFor(40), 40u);
  EXPECT_EQ(kClasses.RoomFor(41), 56u);
  EXPECT_EQ(kClasses.RoomFor(512), 520u);
  EXPECT_EQ(kClasses.FootprintOf(512), 528u);
  EXPECT_EQ(kClasses.RoomFor(513), 513u);
  EXPECT_EQ(kClasses.FootprintOf(513), 521u);
}

// A block is given back by its room.
TEST(SizeClassesTest, TheRoomInABlockTellsAllOfIt) {
  for (const SizeClasses& classes : {SizeClasses(), SizeClasses(8), SizeClasses(8, 40), SizeClasses(16)}) {
    for (size_t bytes = 1; bytes <= SizeClasses::kMaxBytes; ++bytes) {
      ASSERT_LT(SizeClasses::IndexOf(bytes), SizeClasses::kCount);
      const size_t room = classes.RoomFor(bytes);
      ASSERT_GE(room, bytes);
      ASSERT_EQ(classes.RoomFor(room), room) << bytes;
      ASSERT_EQ(classes.FootprintOf(room), classes.FootprintOf(bytes)) << bytes;
    }
  }
}

TEST(SizeClassesTest, AllOfAClassHaveTheSameRoom) {
  for (const SizeClasses& classes : {SizeClasses(), SizeClasses(8), SizeClasses(8, 40), SizeClasses(16)}) {
    for (size_t bytes = 2; bytes <= SizeClasses::kMaxBytes; ++bytes) {
      if (SizeClasses::IndexOf(bytes) == SizeClasses::IndexOf(bytes - 1)) {
        ASSERT_EQ(classes.RoomFor(bytes), classes.RoomFor(bytes - 1)) << bytes;
      }
    }
  }
}

}  // namespace
}  // namespace ipc::internal
