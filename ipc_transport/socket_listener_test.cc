#include "ipc_transport/socket_listener.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

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
  bool Exists() const { return access(path_.c_str(), F_OK) == 0; }

  const testing::TempDir folder_;
  const std::string path_ = folder_.path() + "/socket";
};

TEST_F(SocketListenerTest, ConnectsWhoFindsIt) {
  ASSERT_OK_AND_ASSIGN(SocketListener listener, SocketListener::Listen(path_));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SocketPipe> client, SocketPipe::Connect(path_));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SocketPipe> server, listener.Accept(testing::TimeLimit()));
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
  EXPECT_THAT(SocketPipe::Connect(path_), IsOk());
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
  std::vector<std::unique_ptr<SocketPipe>> clients;
  absl::Status full;
  while (full.ok() && clients.size() < 100) {
    absl::StatusOr<std::unique_ptr<SocketPipe>> client = SocketPipe::Connect(path_, absl::Milliseconds(1));
    full = client.status();
    if (client.ok()) clients.push_back(*std::move(client));
  }
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(listener.Accept(Deadline::Passed()), IsOk());
  EXPECT_THAT(SocketPipe::Connect(path_, testing::TimeLimit()), IsOk());
}

TEST_F(SocketListenerTest, RefusesBadOptions) {
  EXPECT_THAT(SocketListener::Listen(path_, {.backlog = 0}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SocketListener::Listen(path_, {.pipe = {.max_message_bytes = 0}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_FALSE(Exists());
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
