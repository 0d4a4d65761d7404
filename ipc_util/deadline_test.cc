#include "ipc_util/deadline.h"

#include <ctime>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

TEST(DeadlineTest, NothingAndLessHavePassed) {
  for (const Deadline deadline : {Deadline::Passed(), Deadline(absl::ZeroDuration()), Deadline(-absl::Nanoseconds(1)),
                                  Deadline(-absl::InfiniteDuration())}) {
    EXPECT_TRUE(deadline.HasPassed());
    EXPECT_FALSE(deadline.never());
    EXPECT_EQ(deadline.Remaining(), absl::ZeroDuration());
    timespec storage = {.tv_sec = 1, .tv_nsec = 1};
    ASSERT_EQ(deadline.ToPollTimeout(&storage), &storage);
    EXPECT_EQ(storage.tv_sec, 0);
    EXPECT_EQ(storage.tv_nsec, 0);
  }
}

TEST(DeadlineTest, InfinityNeverPasses) {
  for (const Deadline deadline :
       {Deadline::Never(), Deadline(absl::InfiniteDuration()), Deadline(absl::Hours(24) * 365 * 1000)}) {
    EXPECT_TRUE(deadline.never());
    EXPECT_FALSE(deadline.HasPassed());
    EXPECT_EQ(deadline.Remaining(), absl::InfiniteDuration());
    timespec storage;
    EXPECT_EQ(deadline.ToPollTimeout(&storage), nullptr);
  }
}

TEST(DeadlineTest, ADurationCountsFromNow) {
  const Deadline deadline(absl::Hours(1));
  EXPECT_FALSE(deadline.HasPassed());
  EXPECT_FALSE(deadline.never());
  const absl::Duration before = deadline.Remaining();
  EXPECT_LE(before, absl::Hours(1));
  EXPECT_GT(before, absl::Minutes(50));
  timespec storage;
  ASSERT_EQ(deadline.ToPollTimeout(&storage), &storage);
  EXPECT_LE(absl::DurationFromTimespec(storage), before);
  EXPECT_GT(absl::DurationFromTimespec(storage), absl::Minutes(50));
}

TEST(DeadlineTest, PassesOnceItsTimeHasCome) {
  const Deadline deadline(absl::Nanoseconds(1));
  while (!deadline.HasPassed()) {
  }
  EXPECT_EQ(deadline.Remaining(), absl::ZeroDuration());
  EXPECT_TRUE(deadline.HasPassed());
}

TEST(DeadlineTest, TheDefaultIsHalfAMinute) {
  const Deadline deadline = Deadline::Default();
  EXPECT_LE(deadline.Remaining(), absl::Seconds(30));
  EXPECT_GT(deadline.Remaining(), absl::Seconds(20));
}

TEST(DeadlineTest, TheEarlierOfTwo) {
  const Deadline soon(absl::Minutes(1));
  const Deadline late(absl::Hours(1));
  for (const Deadline earlier : {Earlier(soon, late), Earlier(late, soon), Earlier(soon, Deadline::Never())}) {
    EXPECT_LE(earlier.Remaining(), absl::Minutes(1));
    EXPECT_FALSE(earlier.HasPassed());
  }
  EXPECT_TRUE(Earlier(soon, Deadline::Passed()).HasPassed());
  EXPECT_TRUE(Earlier(Deadline::Never(), Deadline::Never()).never());
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
