#include "ipc_transport/internal/spinner.h"

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::OnlyProcessor;
using ::ipc::internal::Spinner;

// How often the condition was looked at.
struct Looks {
  bool won = false;
  int looks = 0;
  int idles = 0;
};

// Spins for a condition that is true at the `ready_at`-th look.
Looks Spin(Spinner& spinner, WaitMode mode, Deadline deadline, int ready_at) {
  Looks result;
  result.won = spinner.Spin(mode, deadline, [&] { return ++result.looks == ready_at; }, [&] { ++result.idles; });
  return result;
}

constexpr int kNever = 0;

TEST(SpinnerTest, SleepNeverSpins) {
  Spinner spinner;
  const Looks looks = Spin(spinner, WaitMode::kSleep, TimeLimit(), 1);
  EXPECT_FALSE(looks.won);
  EXPECT_EQ(looks.looks, 0);
}

TEST(SpinnerTest, SpinGoesOnUntilItIsReady) {
  Spinner spinner;
  const Looks looks = Spin(spinner, WaitMode::kSpin, TimeLimit(), 100'000);
  EXPECT_TRUE(looks.won);
  EXPECT_EQ(looks.looks, 100'000);
  EXPECT_GT(looks.idles, 0);
}

TEST(SpinnerTest, SpinEndsWithTheDeadline) {
  Spinner spinner;
  for (const Deadline deadline : {Deadline::Passed(), Deadline(absl::Microseconds(1))}) {
    const Looks looks = Spin(spinner, WaitMode::kSpin, deadline, kNever);
    EXPECT_FALSE(looks.won);
    EXPECT_GT(looks.looks, 0);
    EXPECT_TRUE(deadline.HasPassed());
  }
}

class AdaptiveSpinnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (OnlyProcessor() != 0) GTEST_SKIP() << "SKIPPED: needs two processors";
  }

  Spinner spinner_;
};

TEST_F(AdaptiveSpinnerTest, SpinsForItsBudgetAtMost) {
  const Looks looks = Spin(spinner_, WaitMode::kAdaptive, Deadline::Never(), kNever);
  EXPECT_FALSE(looks.won);
  EXPECT_GT(looks.looks, 0);
}

TEST_F(AdaptiveSpinnerTest, SpinsLessTheMoreItLoses) {
  absl::Duration budget = spinner_.budget();
  EXPECT_EQ(budget, Spinner::MaxBudget());
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(Spin(spinner_, WaitMode::kAdaptive, Deadline::Never(), kNever).won);
    EXPECT_LE(spinner_.budget(), budget);
    budget = spinner_.budget();
  }
  EXPECT_EQ(budget, Spinner::MinBudget());
}

TEST_F(AdaptiveSpinnerTest, SpinsMoreTheMoreItWins) {
  for (int i = 0; i < 20; ++i) Spin(spinner_, WaitMode::kAdaptive, Deadline::Never(), kNever);
  EXPECT_TRUE(Spin(spinner_, WaitMode::kAdaptive, Deadline::Never(), 1).won);
  EXPECT_EQ(spinner_.budget(), 2 * Spinner::MinBudget());
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Spin(spinner_, WaitMode::kAdaptive, Deadline::Never(), 1).won);
  EXPECT_EQ(spinner_.budget(), Spinner::MaxBudget());
}

TEST_F(AdaptiveSpinnerTest, APassedDeadlineStillLooks) {
  EXPECT_TRUE(Spin(spinner_, WaitMode::kAdaptive, Deadline::Passed(), 1).won);
}

void AllowOneProcessor() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) ++first;
  CPU_ZERO(&allowed);
  CPU_SET(first, &allowed);
  sched_setaffinity(0, sizeof(allowed), &allowed);
}

// Spinning would only keep the peer from running. Tells what each mode does there, and a spinner that was made before.
SLUICE_CHILD_ROLE(on_one_processor) {
  Spinner older;
  AllowOneProcessor();
  Spinner spinner;
  const int adaptive = Spin(spinner, WaitMode::kAdaptive, TimeLimit(), 1).looks;
  const int spin = Spin(spinner, WaitMode::kSpin, TimeLimit(), 1).looks;
  Spin(older, WaitMode::kAdaptive, TimeLimit(), kNever);
  const int late = Spin(older, WaitMode::kAdaptive, TimeLimit(), 1).looks;
  TellParent(absl::StrCat("adaptive ", adaptive, ", spin ", spin, ", late ", late));
  return 0;
}

TEST(SpinnerTest, OneProcessorIsNoneToSpare) {
  EXPECT_EQ(Child::Start("on_one_processor").Hear(), "adaptive 0, spin 1, late 0");
}

// As a user pins two programs to a processor each: they spin; beside the peer on the same one they do not.
SLUICE_CHILD_ROLE(beside_a_peer) {
  AllowOneProcessor();
  std::atomic<uint32_t> own = 0;
  std::atomic<uint32_t> peer = OnlyProcessor() + 1;
  Spinner spinner(own, peer);
  const int apart = Spin(spinner, WaitMode::kAdaptive, TimeLimit(), 1).looks;
  peer = own.load();
  Spin(spinner, WaitMode::kAdaptive, TimeLimit(), kNever);  // Lost: it looks where the peer is now.
  const int together = Spin(spinner, WaitMode::kAdaptive, TimeLimit(), 1).looks;
  peer = 0;
  const int anywhere = Spin(spinner, WaitMode::kAdaptive, TimeLimit(), 1).looks;
  TellParent(absl::StrCat("told ", own == OnlyProcessor(), ", apart ", apart, ", together ", together, ", anywhere ",
                          anywhere));
  return 0;
}

TEST(SpinnerTest, APeerOnAnotherProcessorIsWorthASpin) {
  EXPECT_EQ(Child::Start("beside_a_peer").Hear(), "told 1, apart 1, together 0, anywhere 1");
}

}  // namespace
}  // namespace ipc::testing
