#include "ipc_session/dispatch_thread.h"

#include <sys/resource.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/session_pair.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/user.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

bool Came(std::promise<void>& event) {
  return event.get_future().wait_for(absl::ToChronoNanoseconds(TimeLimit())) == std::future_status::ready;
}

class DispatchThreadTest : public ::testing::Test {
 protected:
  SessionPair pair_;
};

TEST_F(DispatchThreadTest, RunsHandlersByItself) {
  std::promise<void> offered;
  pair_.server->OnOffer([&](ChannelOffer offer) {
    EXPECT_OK(offer.Accept());
    offered.set_value();
  });
  ASSERT_OK_AND_ASSIGN(const DispatchThread thread, DispatchThread::Start(*pair_.server));
  EXPECT_OK(pair_.client->OpenChannel({}, TimeLimit()));
  EXPECT_TRUE(Came(offered));
  EXPECT_OK(thread.status());
}

TEST_F(DispatchThreadTest, EndsWithTheSession) {
  std::promise<void> ended;
  pair_.server->OnEnd([&](const absl::Status& end) {
    EXPECT_EQ(ReasonOf(end), Reason::kGoodbye);
    ended.set_value();
  });
  ASSERT_OK_AND_ASSIGN(const DispatchThread thread, DispatchThread::Start(*pair_.server));
  pair_.client.reset();
  EXPECT_TRUE(Came(ended));
  while (thread.status().ok()) std::this_thread::yield();
  EXPECT_EQ(ReasonOf(thread.status()), Reason::kGoodbye);
}

TEST_F(DispatchThreadTest, DestroyingItStopsItAndLeavesTheSession) {
  const World before = World::Now();
  {
    ASSERT_OK(DispatchThread::Start(*pair_.server));
  }
  EXPECT_EQ(World::Now().threads, before.threads);
  EXPECT_OK(pair_.server->status());
  EXPECT_THAT(pair_.server->TryDispatch(), IsOkAndHolds(false));
}

// B4: a handler that does not return does not keep the session from being closed; the thread is waited for.
TEST_F(DispatchThreadTest, TheSessionCanBeClosedWhileAHandlerRuns) {
  std::promise<void> runs, may_return;
  pair_.server->OnOffer([&](ChannelOffer) {
    runs.set_value();
    may_return.get_future().wait();
  });
  ASSERT_OK_AND_ASSIGN(std::optional<DispatchThread> thread, DispatchThread::Start(*pair_.server));
  ASSERT_OK_AND_ASSIGN(const OpeningChannel opening, pair_.client->StartChannel());
  ASSERT_TRUE(Came(runs));
  pair_.server.reset();
  EXPECT_EQ(ReasonOf(pair_.client->WaitForEnd(TimeLimit())), Reason::kGoodbye);
  may_return.set_value();
  thread.reset();
}

// P4
TEST_F(DispatchThreadTest, MayBeDestroyedInAHandler) {
  std::promise<void> done;
  std::optional<DispatchThread> thread;
  std::promise<void> started;
  pair_.server->OnOffer([&](ChannelOffer) {
    started.get_future().wait();
    thread.reset();
    pair_.server.reset();
    done.set_value();
  });
  ASSERT_OK_AND_ASSIGN(thread, DispatchThread::Start(*pair_.server));
  started.set_value();
  ASSERT_OK_AND_ASSIGN(const OpeningChannel opening, pair_.client->StartChannel());
  EXPECT_TRUE(Came(done));
  EXPECT_EQ(ReasonOf(pair_.client->WaitForEnd(TimeLimit())), Reason::kGoodbye);
}

// As another user, who may have no thread more.
SLUICE_CHILD_ROLE(without_threads) {
  SessionPair pair;
  BecomeUser(4009, 4009);
  const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  if (setrlimit(RLIMIT_NPROC, &none) != 0) return 2;
  TellParent(DispatchThread::Start(*pair.server).status().ToString());
  TellParent(pair.server->status().ToString());
  HearParent();  // Until it is killed: a leak checker would need a thread, too.
  return 0;
}

// R5
TEST(DispatchThreadWithoutThreadsTest, SaysSoAndTheSessionGoesOn) {
  Child child = Child::Start("without_threads");
  EXPECT_EQ(child.Hear(),
            "RESOURCE_EXHAUSTED: no thread to drive a session with: raise RLIMIT_NPROC (ulimit -u) or "
            "kernel.threads-max");
  EXPECT_EQ(child.Hear(), "OK");
}

}  // namespace
}  // namespace ipc::testing
