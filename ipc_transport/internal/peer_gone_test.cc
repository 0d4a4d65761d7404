#include "ipc_transport/internal/peer_gone.h"

#include <signal.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::HowPeerWent;
using ::ipc::internal::PeerGone;

SLUICE_CHILD_ROLE(waits) {
  HearParent();
  return 0;
}

TEST(PeerGoneTest, NothingMoreIsKnown) {
  EXPECT_THAT(PeerGone(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(PeerGone()), Reason::kGone);
  EXPECT_EQ(HowPeerWent(PidFd()), PeerGone());
}

TEST(PeerGoneTest, AProcessThatWasKilledSaysSo) {
  Child child = Child::Start("waits");
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(child.pid()));
  EXPECT_EQ(HowPeerWent(process), PeerGone()) << "it lives";
  kill(child.pid(), SIGKILL);
  child.WaitUntilEnded();  // And is not reaped: the kernel tells its parent.
  EXPECT_EQ(ReasonOf(HowPeerWent(process)), Reason::kKilled);
}

TEST(PeerGoneTest, ThisProcessIsNoneThatHasGone) {
  ASSERT_OK_AND_ASSIGN(const PidFd self, PidFd::Open(getpid()));
  EXPECT_EQ(HowPeerWent(self), PeerGone());
}

}  // namespace
}  // namespace ipc::testing
