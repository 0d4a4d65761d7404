#include "ipc_transport/internal/timer_fd.h"

#include <cerrno>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::MakeTimer;
using ::ipc::internal::SetTimer;

TEST(TimerFdTest, IsReadableFromItsDeadlineOn) {
  ASSERT_OK_AND_ASSIGN(const Fd timer, MakeTimer());
  EXPECT_FALSE(IsReadable(timer));
  SetTimer(timer, Deadline(absl::Milliseconds(1)));
  EXPECT_TRUE(BecomesReadable(timer));
  SetTimer(timer, Deadline(absl::Hours(1)));
  EXPECT_FALSE(IsReadable(timer));
}

TEST(TimerFdTest, ADeadlineThatHasPassedIsNotNever) {
  ASSERT_OK_AND_ASSIGN(const Fd timer, MakeTimer());
  SetTimer(timer, Deadline::Passed());
  EXPECT_TRUE(BecomesReadable(timer));
  SetTimer(timer, Deadline::Never());
  EXPECT_FALSE(IsReadable(timer));
}

// R2
TEST(TimerFdTest, SaysWhenThereIsNoDescriptor) {
  const OsTesting os({FailCall("TimerFd", EMFILE)});
  EXPECT_THAT(MakeTimer(), StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace ipc::testing
