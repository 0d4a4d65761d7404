// The peer of a socket pipe as a process: who it is, and that its death is noticed where a child of it lives on.

#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/socket_listener.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/credentials.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::testing::AnyOf;
using Bytes = std::vector<std::byte>;

// Sends three messages, has a child of its own that keeps the socket, and says so.
int SendAndFork(absl::StatusOr<std::unique_ptr<SocketPipe>> pipe) {
  if (!pipe.ok()) return 1;
  for (size_t i = 1; i <= 3; ++i) {
    if (!(*pipe)->Send(Bytes(i)).ok()) return 2;
  }
  if (fork() == 0) {
    // Until the test is over: it keeps the line to the test, too.
    HearParent();
    _exit(0);
  }
  TellParent("sent");
  HearParent();
  return 0;
}

SLUICE_CHILD_ROLE(connecting_peer) { return SendAndFork(SocketPipe::Connect(arguments[0], TimeLimit())); }

SLUICE_CHILD_ROLE(listening_peer) {
  absl::StatusOr<SocketListener> listener = SocketListener::Listen(arguments[0]);
  if (!listener.ok()) return 3;
  TellParent("listening");
  return SendAndFork(listener->Accept(TimeLimit()));
}

// Leaves its socket to a child, as a daemon does, which serves one client.
SLUICE_CHILD_ROLE(daemon) {
  absl::StatusOr<SocketListener> listener = SocketListener::Listen(arguments[0]);
  if (!listener.ok()) return 1;
  if (fork() != 0) _exit(0);
  HearParent();
  absl::StatusOr<std::unique_ptr<SocketPipe>> pipe = listener->Accept(TimeLimit());
  _exit(pipe.ok() && (*pipe)->Send(Bytes(5)).ok() && HearParent().empty() ? 0 : 1);
}

class SocketPipePeerTest : public ::testing::TestWithParam<absl::string_view> {
 protected:
  // A pipe to a process that was killed after it had sent three messages; its child lives.
  struct Bereaved {
    std::unique_ptr<SocketPipe> pipe;
    Child child;
  };

  Bereaved Make(bool kill = true) {
    Bereaved made = GetParam() == "listening_peer" ? MakeByConnect() : MakeByAccept();
    EXPECT_EQ(made.pipe->peer().pid, made.child.pid());
    EXPECT_EQ(made.pipe->peer().uid, getuid());
    EXPECT_TRUE(made.pipe->peer_process().valid());
    EXPECT_EQ(made.child.Hear(), "sent");
    if (kill) made.child.Kill();
    return made;
  }

  // What is received until the end.
  static absl::Status Drain(SocketPipe& pipe, std::vector<size_t>* sizes) {
    Bytes buffer(100);
    while (true) {
      const absl::StatusOr<size_t> bytes = pipe.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit());
      if (!bytes.ok()) return bytes.status();
      sizes->push_back(*bytes);
    }
  }

  static void ExpectGone(const absl::Status& status) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_THAT(ReasonOf(status), AnyOf(Reason::kGone, Reason::kKilled));
  }

 private:
  Bereaved MakeByConnect() {
    const std::string path = NextPath();
    Child child = Child::Start("listening_peer", {path});
    EXPECT_EQ(child.Hear(), "listening");
    auto pipe = SocketPipe::Connect(path, TimeLimit());
    EXPECT_OK(pipe);
    return {*std::move(pipe), std::move(child)};
  }

  Bereaved MakeByAccept() {
    const std::string path = NextPath();
    absl::StatusOr<SocketListener> listener = SocketListener::Listen(path);
    EXPECT_OK(listener);
    Child child = Child::Start("connecting_peer", {path});
    auto pipe = listener->Accept(TimeLimit());
    EXPECT_OK(pipe);
    return {*std::move(pipe), std::move(child)};
  }

  // Those who are killed leave their path behind.
  std::string NextPath() { return absl::StrCat(folder_.path(), "/socket", ++paths_); }

  const TempDir folder_;
  int paths_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Ways, SocketPipePeerTest, ::testing::Values("connecting_peer", "listening_peer"));

// F20, P1
TEST_P(SocketPipePeerTest, ADeadPeerIsHeardOutThoughItsChildLives) {
  for (const WaitMode mode : {WaitMode::kAdaptive, WaitMode::kSpin, WaitMode::kSleep}) {
    Bereaved made = Make();
    made.pipe->set_wait_mode(mode);
    std::vector<size_t> sizes;
    ExpectGone(Drain(*made.pipe, &sizes));
    EXPECT_EQ(sizes, (std::vector<size_t>{1, 2, 3}));
    ExpectGone(made.pipe->TrySend(Bytes(1)).status());
  }
}

// F20: by someone who only polls, one by one and in batches.
TEST_P(SocketPipePeerTest, ADeadPeerIsHeardOutWithoutWaiting) {
  Bereaved one = Make();
  Bytes buffer(1 << 20);
  for (size_t i = 1; i <= 3; ++i) EXPECT_THAT(one.pipe->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(i));
  ExpectGone(one.pipe->TryReceive(absl::MakeSpan(buffer), nullptr).status());
  Bereaved many = Make();
  std::vector<ReceivedMessage> messages(10);
  EXPECT_THAT(many.pipe->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(messages), nullptr), IsOkAndHolds(3u));
  ExpectGone(many.pipe->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(messages), nullptr).status());
}

// F20: while a receiver sleeps, or an event loop.
TEST_P(SocketPipePeerTest, ADeathWakesWhoWaits) {
  for (const bool in_event_loop : {false, true}) {
    Bereaved made = Make(/*kill=*/false);
    made.pipe->set_wait_mode(WaitMode::kSleep);
    Bytes buffer(100);
    for (size_t i = 1; i <= 3; ++i) {
      EXPECT_THAT(made.pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOkAndHolds(i));
    }
    if (in_event_loop) {
      ASSERT_OK_AND_ASSIGN(const Waitable waitable, made.pipe->ReceiveWaitable());
      pollfd poll_fd = {.fd = waitable.fd.get(), .events = waitable.events, .revents = 0};
      EXPECT_EQ(poll(&poll_fd, 1, 0), 0);
      made.child.Kill();
      EXPECT_EQ(poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))), 1);
      ExpectGone(made.pipe->TryReceive(absl::MakeSpan(buffer), nullptr).status());
    } else {
      const OsTesting os;
      std::optional<absl::Status> end;
      std::thread receiver([&] { end = made.pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()).status(); });
      while (os.calls("Poll") < 2) std::this_thread::yield();
      made.child.Kill();
      receiver.join();
      ExpectGone(*end);
    }
  }
}

// F20: a sender learns of it when there is no room.
TEST_P(SocketPipePeerTest, ADeathEndsASenderThatIsFull) {
  for (const bool in_event_loop : {false, true}) {
    Bereaved made = Make();
    const Bytes message(1000);
    absl::Status end;
    if (in_event_loop) {
      ASSERT_OK_AND_ASSIGN(const Waitable waitable, made.pipe->SendWaitable());
      pollfd poll_fd = {.fd = waitable.fd.get(), .events = waitable.events, .revents = 0};
      EXPECT_EQ(poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))), 1);
      while (end.ok()) end = made.pipe->TrySend(message).status();
    } else {
      while (end.ok()) end = made.pipe->Send(message, {}, TimeLimit());
    }
    ExpectGone(end);
  }
}

TEST_P(SocketPipePeerTest, LeavesNothingBehind) {
  const World before = World::Now();
  {
    Bereaved made = Make();
    EXPECT_OK(made.pipe->SendWaitable());
    EXPECT_OK(made.pipe->ReceiveWaitable());
  }
  EXPECT_EQ(World::Now().descriptors, before.descriptors);
}

TEST(SocketPipePeerlessTest, ADaemonIsNotTakenForDead) {
  const TempDir folder;
  const std::string path = folder.path() + "/socket";
  Child child = Child::Start("daemon", {path});
  ASSERT_EQ(child.Wait(), 0);
  child.Tell("go");
  ASSERT_OK_AND_ASSIGN(const auto pipe, SocketPipe::Connect(path, TimeLimit()));
  EXPECT_FALSE(pipe->peer_process().valid());
  Bytes buffer(10);
  EXPECT_THAT(pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOkAndHolds(5u));
}

TEST(SocketPipePeerlessTest, APipeFromASocketWatchesNoProcess) {
  ASSERT_OK_AND_ASSIGN(const auto pair, SocketPipe::CreatePair());
  EXPECT_EQ(pair.first->peer(), OwnCredentials());
  EXPECT_FALSE(pair.first->peer_process().valid());
}

// R2
TEST_P(SocketPipePeerTest, AWaitableNeedsADescriptor) {
  Bereaved made = Make();
  for (const char* const function : {"EpollCreate", "EpollCtl"}) {
    const OsTesting os({FailCall(function, EMFILE, {.times = 2})});
    EXPECT_THAT(made.pipe->ReceiveWaitable(), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_THAT(made.pipe->SendWaitable(), StatusIs(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_OK(made.pipe->ReceiveWaitable());
}

}  // namespace
}  // namespace ipc::testing
