// E6: a peer that is stopped, and one that is alive but says nothing by itself, between two processes.

#include <atomic>
#include <csignal>
#include <cstddef>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/session_pair.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

// Short against a test's patience, long against a turn of the scheduler.
constexpr absl::Duration kPeriod = absl::Milliseconds(20);
constexpr absl::Duration kTimeout = absl::Seconds(1);

SessionOptions Speaks() { return {.keep_alive_period = kPeriod}; }
SessionOptions Minds() { return {.idle_timeout = kTimeout}; }

// Serves one client by echoing, and says that it is alive. Arguments: folder.
SLUICE_CHILD_ROLE(speaking_server) {
  ServerOptions options = ServerOptionsIn(arguments[0]);
  options.session.keep_alive_period = kPeriod;
  absl::StatusOr<Server> server = Server::Listen(kTestServer, options);
  if (!server.ok()) return 1;
  TellParent("listening");
  absl::StatusOr<Session> session = server->Accept(TimeLimit());
  if (!session.ok()) return 2;
  Channel channel = session->TakeChannel(0);
  TellParent(Echo(channel).ToString());
  return 0;
}

class KeepAliveTest : public ::testing::Test {
 protected:
  absl::StatusOr<Session> Connect() {
    SessionOptions options = OptionsIn(folder_.path());
    options.idle_timeout = kTimeout;
    return Session::Connect(kTestClient, kTestServer, options);
  }

  const TempDir folder_;
  Child server_ = Child::Start("speaking_server", {folder_.path()});
};

// B3
TEST_F(KeepAliveTest, AStoppedPeerIsSilent) {
  ASSERT_EQ(server_.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session session, Connect());
  Channel channel = session.TakeChannel(0);
  EXPECT_EQ(Ask(channel, "hello"), "hello");
  server_.Stop();
  std::byte buffer[1];
  const absl::Status end = channel.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status();
  EXPECT_THAT(end, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("the peer was silent for 1s")));
  EXPECT_EQ(ReasonOf(end), Reason::kSilent);
  EXPECT_EQ(ReasonOf(session.status()), Reason::kSilent);
  server_.Continue();
  EXPECT_THAT(server_.Hear(), HasSubstr("UNAVAILABLE"));
}

TEST_F(KeepAliveTest, APeerThatWaitsIsNot) {
  ASSERT_EQ(server_.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session session, Connect());
  EXPECT_THAT(session.WaitForEnd(2 * kTimeout), StatusIs(absl::StatusCode::kDeadlineExceeded));
  Channel channel = session.TakeChannel(0);
  EXPECT_EQ(Ask(channel, "hello"), "hello");
}

TEST_F(KeepAliveTest, DispatchNoticesToo) {
  ASSERT_EQ(server_.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session session, Connect());
  Reason told = Reason::kNone;
  session.OnEnd([&](const absl::Status& end) { told = ReasonOf(end); });
  ASSERT_OK_AND_ASSIGN(const FdView fd, session.wait_fd());
  server_.Stop();
  while (told == Reason::kNone) {
    ASSERT_TRUE(BecomesReadable(fd));
    absl::StatusOr<bool> ran = session.TryDispatch();
    ASSERT_TRUE(ran.ok() || told != Reason::kNone) << ran.status();
  }
  EXPECT_EQ(told, Reason::kSilent);
  server_.Continue();
}

// A stream that never waits is no silence, on either side.
TEST(KeepAliveStreamTest, MessagesAreSignsOfLife) {
  SessionPair pair(Minds(), Speaks());
  Channel here = pair.client->TakeChannel(0), there = pair.server->TakeChannel(0);
  const Deadline enough(1.5 * kTimeout);
  std::thread sender([&] {
    while (!enough.HasPassed()) EXPECT_OK(there.TrySend({}));
  });
  std::byte buffer[1];
  while (!enough.HasPassed()) EXPECT_OK(here.TryReceive(absl::MakeSpan(buffer)));
  sender.join();
}

// V2
TEST(KeepAliveTermsTest, ATimeoutThatThePeerDoesNotKeepIsRefused) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, ServerOptionsIn(folder.path())));
  SessionOptions options = OptionsIn(folder.path());
  options.idle_timeout = kTimeout;
  absl::Status status;
  std::atomic<bool> is_done{false};
  std::thread client([&] {
    status = Session::Connect(kTestClient, kTestServer, options).status();
    is_done = true;
  });
  while (!is_done) EXPECT_FALSE(server.Accept(absl::Milliseconds(10)).ok());
  client.join();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("idle_timeout is 1s, the other's keep_alive_period is 0")));
  EXPECT_EQ(ReasonOf(status), Reason::kWrongLimits);
}

}  // namespace
}  // namespace ipc::testing
