#include "ipc_transport/internal/keep_alive.h"

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "ipc_util/deadline.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::KeepAlive;

TEST(KeepAliveTest, IsOffUnlessAskedFor) {
  KeepAlive off(absl::ZeroDuration(), absl::ZeroDuration());
  off.Spoke();
  off.Heard();
  EXPECT_TRUE(off.Next().never());
}

TEST(KeepAliveTest, EachPeriodRunsByItself) {
  KeepAlive speaks(absl::Hours(1), absl::ZeroDuration());
  EXPECT_FALSE(speaks.speak_at().never());
  EXPECT_TRUE(speaks.silent_at().never());
  EXPECT_GT(speaks.Next().Remaining(), absl::Minutes(59));
  KeepAlive minds(absl::ZeroDuration(), absl::Hours(2));
  EXPECT_TRUE(minds.speak_at().never());
  EXPECT_GT(minds.Next().Remaining(), absl::Minutes(119));
  KeepAlive both(absl::Hours(1), absl::Hours(2));
  EXPECT_LT(both.Next().Remaining(), absl::Minutes(61));
}

// How much later than `before` `after` is, or a little more.
absl::Duration Later(Deadline before, Deadline after) {
  const absl::Duration of_after = after.Remaining();
  return of_after - before.Remaining();
}

TEST(KeepAliveTest, WhatPassesStartsThePeriodAgain) {
  KeepAlive both(absl::Hours(1), absl::Hours(2));
  const Deadline speak_at = both.speak_at();
  const Deadline silent_at = both.silent_at();
  absl::SleepFor(absl::Milliseconds(20));
  both.Spoke();
  EXPECT_GE(Later(speak_at, both.speak_at()), absl::Milliseconds(20));
  both.Heard();
  EXPECT_GE(Later(silent_at, both.silent_at()), absl::Milliseconds(20));
}

}  // namespace
}  // namespace ipc::testing
