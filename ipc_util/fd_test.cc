#include "ipc_util/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using ::testing::HasSubstr;
using testing::StatusIs;
using testing::World;

static_assert(!std::is_copy_constructible_v<Fd> && !std::is_copy_assignable_v<Fd>);
static_assert(std::is_trivially_copyable_v<FdView>);

Fd OpenNull() { return Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

bool IsOpen(int number) { return fcntl(number, F_GETFD) >= 0; }

TEST(FdTest, NoneIsInvalid) {
  for (const int number : {-1, -2}) {
    const Fd fd(number);
    EXPECT_FALSE(fd.valid());
    EXPECT_FALSE(fd.view().valid());
    EXPECT_EQ(Fd().view(), FdView());
  }
  Fd none;
  none.Close();
  EXPECT_EQ(none.Release(), -1);
}

TEST(FdTest, ClosesWhatItOwns) {
  int number;
  {
    const Fd fd = OpenNull();
    number = fd.get();
    EXPECT_TRUE(fd.valid());
    EXPECT_TRUE(IsOpen(number));
  }
  EXPECT_FALSE(IsOpen(number));
}

TEST(FdTest, ZeroIsADescriptorLikeAnother) {
  Fd zero(0);
  EXPECT_TRUE(zero.valid());
  EXPECT_TRUE(zero.view().valid());
  EXPECT_EQ(zero.Release(), 0);
}

TEST(FdTest, MovingMovesTheOwnership) {
  Fd first = OpenNull();
  const int number = first.get();
  Fd second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT: what a moved-from one is, is part of the contract.
  EXPECT_EQ(second.get(), number);

  Fd third = OpenNull();
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_FALSE(IsOpen(replaced));
  EXPECT_EQ(third.get(), number);
  EXPECT_TRUE(IsOpen(number));

  Fd& same = third;
  third = std::move(same);
  EXPECT_EQ(third.get(), number);
  EXPECT_TRUE(IsOpen(number));
}

TEST(FdTest, ReleaseGivesTheNumberUpUnclosed) {
  Fd fd = OpenNull();
  const Fd taken(fd.Release());
  EXPECT_FALSE(fd.valid());
  EXPECT_TRUE(IsOpen(taken.get()));
}

// The number may be another's by then: close(2) is called once, whatever it says.
TEST(FdTest, ClosesOnceEvenWhereThatIsInterrupted) {
  Fd fd = OpenNull();
  const Fd real(fd.get());
  const testing::OsTesting os({testing::FailCall("Close", EINTR)});
  fd.Close();
  EXPECT_FALSE(fd.valid());
  fd.Close();
  EXPECT_EQ(os.calls("Close"), 1);
}

TEST(FdTest, AViewOwnsNothing) {
  const Fd fd = OpenNull();
  {
    const FdView view = fd;
    EXPECT_EQ(view.get(), fd.get());
  }
  EXPECT_TRUE(IsOpen(fd.get()));
}

TEST(DuplicateTest, IsTheSameFileAndCloseOnExec) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, 0), 0);
  const Fd reading(ends[0]);
  const Fd writing(ends[1]);
  ASSERT_OK_AND_ASSIGN(const Fd copy, Duplicate(writing));
  EXPECT_NE(copy.get(), writing.get());
  EXPECT_EQ(fcntl(copy.get(), F_GETFD), FD_CLOEXEC);
  ASSERT_EQ(write(copy.get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(reading.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
}

TEST(DuplicateTest, RefusesWhatIsNotOpen) {
  EXPECT_THAT(Duplicate(FdView()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("duplicate a descriptor")));
}

TEST(DuplicateTest, SaysWhichLimitToRaise) {
  const Fd fd = OpenNull();
  const World before = World::Now();
  const testing::OsTesting os({testing::FailCall("Fcntl", EMFILE)});
  EXPECT_THAT(Duplicate(fd), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
  EXPECT_EQ(World::Now(), before);
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
