#include "ipc_transport/socket_listener.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/credentials.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::IsOkAndHolds;
using testing::StatusIs;

class SocketListenerTest : public ::testing::Test {
 protected:
  using Pipes = std::pair<std::unique_ptr<SocketPipe>, std::unique_ptr<SocketPipe>>;

  bool Exists() const { return access(path_.c_str(), F_OK) == 0; }

  // A client's end and the listener's.
  absl::StatusOr<Pipes> ConnectTo(SocketListener& listener, const SocketConnectOptions& options = {}) {
    absl::StatusOr<std::unique_ptr<SocketPipe>> client;
    std::thread connecting([&] { client = SocketPipe::Connect(path_, testing::TimeLimit(), options); });
    absl::StatusOr<std::unique_ptr<SocketPipe>> server = listener.Accept(testing::TimeLimit());
    connecting.join();
    if (!client.ok()) return client.status();
    if (!server.ok()) return server.status();
    return std::make_pair(*std::move(client), *std::move(server));
  }

  const testing::TempDir folder_;
  const std::string path_ = folder_.path() + "/socket";
};

TEST_F(SocketListenerTest, ConnectsWhoFindsIt) {
  ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
  absl::StatusOr<Pipes> pipes = ConnectTo(listener);
  ASSERT_OK(pipes);
  const auto& [client, server] = *pipes;
  const std::vector<std::byte> message(100, std::byte{7});
  ASSERT_OK(client->Send(message));
  std::vector<std::byte> received(100);
  EXPECT_THAT(server->Receive(absl::MakeSpan(received), nullptr, testing::TimeLimit()), IsOkAndHolds(100u));
  EXPECT_EQ(received, message);
}

TEST_F(SocketListenerTest, AcceptWaitsNoLongerThanItsDeadline) {
  ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
  EXPECT_THAT(listener.Accept(Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(listener.Accept(absl::Milliseconds(1)), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(SocketListenerTest, ConnectSaysWhenNobodyListens) {
  const absl::Status no_file = SocketPipe::Connect(path_).status();
  EXPECT_THAT(no_file, StatusIs(absl::StatusCode::kUnavailable, AllOf(HasSubstr(path_), HasSubstr("No such file"))));
  EXPECT_EQ(ReasonOf(no_file), Reason::kNoServer);
}

// F17
TEST_F(SocketListenerTest, ConnectSaysWhenTheListenerIsDead) {
  const std::string kept = path_ + ".kept";
  {
    ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
    ASSERT_EQ(rename(path_.c_str(), kept.c_str()), 0);
  }
  const absl::Status dead = SocketPipe::Connect(kept).status();
  EXPECT_THAT(dead, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("Connection refused")));
  EXPECT_EQ(ReasonOf(dead), Reason::kNoServer);
}

// F17
TEST_F(SocketListenerTest, ChecksTheLengthOfThePath) {
  const std::string longest = folder_.path() + "/" + std::string(107 - folder_.path().size() - 1, 'x');
  ASSERT_EQ(longest.size(), 107u);
  EXPECT_THAT(SocketListener::Listen(longest), IsOk());
  const std::string too_long = longest + "x";
  EXPECT_THAT(SocketListener::Listen(too_long),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("107"), HasSubstr("108"))));
  EXPECT_THAT(SocketPipe::Connect(too_long), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SocketListener::Listen(""), StatusIs(absl::StatusCode::kInvalidArgument));
}

// S3
TEST_F(SocketListenerTest, TouchesNothingThatIsThere) {
  std::ofstream(path_) << "precious";
  EXPECT_THAT(SocketListener::Listen(path_), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(path_)));
  std::string text;
  std::ifstream(path_) >> text;
  EXPECT_EQ(text, "precious");
}

TEST_F(SocketListenerTest, SecondListenerIsRefusedAndTheFirstGoesOn) {
  ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
  EXPECT_THAT(SocketListener::Listen(path_), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(ConnectTo(listener), IsOk());
}

// A6
TEST_F(SocketListenerTest, GivesExactModesWhateverTheUmask) {
  const mode_t before = umask(0);
  for (const mode_t mask : {0, 077}) {
    umask(mask);
    for (const Permissions permissions : {Permissions::kUser, Permissions::kGroup, Permissions::kEveryone}) {
      const absl::StatusOr<SocketListener> listener = SocketListener::Listen(path_, {.permissions = permissions});
      ASSERT_OK(listener);
      struct stat file;
      ASSERT_EQ(stat(path_.c_str(), &file), 0);
      EXPECT_EQ(file.st_mode & 07777, SocketMode(permissions)) << Name(permissions) << " under umask " << mask;
    }
  }
  umask(before);
}

TEST_F(SocketListenerTest, TakesItsPathAlong) {
  {
    ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
    const SocketListener moved = std::move(listener);
    EXPECT_TRUE(Exists());
  }
  EXPECT_FALSE(Exists());
}

TEST_F(SocketListenerTest, LeavesAPathThatIsAnothersByNow) {
  {
    ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
    ASSERT_EQ(unlink(path_.c_str()), 0);
    std::ofstream(path_) << "another's";
  }
  EXPECT_TRUE(Exists());
}

// F18
TEST_F(SocketListenerTest, AFullQueueMakesConnectWait) {
  ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_, {.backlog = 1}));
  std::vector<Fd> silent;
  absl::Status full;
  while (full.ok() && silent.size() < 100) {
    absl::StatusOr<Fd> client = internal::ConnectToListener(path_, absl::Milliseconds(1));
    full = client.status();
    if (client.ok()) silent.push_back(*std::move(client));
  }
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(ConnectTo(listener), IsOk());
}

// T13
TEST_F(SocketListenerTest, BothSidesTakeTheSmallerLimit) {
  ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_, {.pipe = {.max_message_bytes = 500}}));
  absl::StatusOr<Pipes> pipes = ConnectTo(listener, {.pipe = {.max_message_bytes = 300}});
  ASSERT_OK(pipes);
  EXPECT_EQ(pipes->first->max_message_bytes(), 300u);
  EXPECT_EQ(pipes->second->max_message_bytes(), 300u);
}

TEST_F(SocketListenerTest, EachSideKnowsWhoTheOtherIs) {
  ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
  absl::StatusOr<Pipes> pipes = ConnectTo(listener);
  ASSERT_OK(pipes);
  for (const auto* const pipe : {&pipes->first, &pipes->second}) {
    EXPECT_EQ((*pipe)->peer(), OwnCredentials());
    EXPECT_TRUE((*pipe)->peer_process().valid());
    EXPECT_FALSE((*pipe)->peer_process().HasEnded());
  }
}

// B3
TEST_F(SocketListenerTest, ConnectDoesNotWaitForEverToBeAccepted) {
  ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
  EXPECT_THAT(SocketPipe::Connect(path_, absl::Milliseconds(1)), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// T1
TEST_F(SocketListenerTest, AClientMayComeBeforeTheServer) {
  for (const bool is_left_over : {false, true}) {
    if (is_left_over) {
      // A path without a listener behind it: what a killed server leaves.
      const std::string kept = path_ + ".kept";
      {
        ASSERT_OK_AND_ASSIGN(SocketListener dead, SocketListener::Listen(path_));
        ASSERT_EQ(rename(path_.c_str(), kept.c_str()), 0);
      }
      ASSERT_EQ(rename(kept.c_str(), path_.c_str()), 0);
    }
    const testing::OsTesting os;
    absl::StatusOr<std::unique_ptr<SocketPipe>> client;
    std::thread connecting(
        [&] { client = SocketPipe::Connect(path_, testing::TimeLimit(), {.wait_for_server = true}); });
    while (os.calls("Connect") < 3) std::this_thread::yield();
    if (is_left_over) {
      ASSERT_EQ(unlink(path_.c_str()), 0);
    }
    ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
    EXPECT_THAT(listener.Accept(testing::TimeLimit()), IsOk());
    connecting.join();
    EXPECT_THAT(client, IsOk());
  }
}

// T1
TEST_F(SocketListenerTest, AClientThatWaitsInVainSaysForWhat) {
  const absl::Status none = SocketPipe::Connect(path_, absl::Milliseconds(5), {.wait_for_server = true}).status();
  EXPECT_THAT(none, StatusIs(absl::StatusCode::kDeadlineExceeded, AllOf(HasSubstr(path_), HasSubstr("No such file"))));
  EXPECT_EQ(ReasonOf(none), Reason::kNoServer);
  EXPECT_FALSE(Exists());
  // What waiting does not mend is told at once.
  EXPECT_THAT(SocketPipe::Connect(std::string(200, 'x'), Deadline::Never(), {.wait_for_server = true}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// T2
TEST_F(SocketListenerTest, ServesFromAnEventLoop) {
  ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
  pollfd poll_fd = {.fd = listener.fd().get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&poll_fd, 1, 0), 0);
  absl::StatusOr<std::unique_ptr<SocketPipe>> client;
  std::thread connecting([&] { client = SocketPipe::Connect(path_, testing::TimeLimit()); });
  absl::StatusOr<std::unique_ptr<SocketPipe>> server = absl::DeadlineExceededError("");
  while (absl::IsDeadlineExceeded(server.status())) {
    ASSERT_EQ(poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(testing::TimeLimit()))), 1);
    server = listener.Accept(Deadline::Passed());
  }
  EXPECT_THAT(server, IsOk());
  connecting.join();
  EXPECT_THAT(client, IsOk());
  EXPECT_EQ(poll(&poll_fd, 1, 0), 0);
}

TEST_F(SocketListenerTest, ServesSeveralThreads) {
  constexpr int kClients = 20;
  ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&] { EXPECT_THAT(SocketPipe::Connect(path_, testing::TimeLimit()), IsOk()); });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (int served = 0; served < kClients / 2; ++served) {
        EXPECT_THAT(listener.Accept(testing::TimeLimit()), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// R2: each call in turn fails; neither descriptor nor name is left.
TEST_F(SocketListenerTest, ListenSurvivesEachFailingCall) {
  const testing::World before = testing::World::Now();
  for (const char* const function : {"EpollCreate", "TimerFd", "EpollCtl"}) {
    const testing::OsTesting os({testing::FailCall(function, EMFILE)});
    EXPECT_THAT(SocketListener::Listen(path_), StatusIs(absl::StatusCode::kResourceExhausted)) << function;
    EXPECT_FALSE(Exists()) << function;
    EXPECT_EQ(testing::World::Now(), before) << function;
  }
}

TEST_F(SocketListenerTest, RefusesBadOptions) {
  for (const SocketListenerOptions& options :
       {SocketListenerOptions{.backlog = 0}, SocketListenerOptions{.pending = 0},
        SocketListenerOptions{.handshake_timeout = absl::ZeroDuration()},
        SocketListenerOptions{.pipe = {.keep_alive_period = absl::Microseconds(1)}}}) {
    EXPECT_THAT(SocketListener::Listen(path_, options), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(SocketListener::Listen(path_, {.pipe = {.max_message_bytes = 0}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_FALSE(Exists());
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
