#include "ipc_session/internal/listening_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"

namespace ipc::testing {
namespace {

using ipc::internal::ConnectToListener;
using ipc::internal::ListeningSocket;
using ::testing::HasSubstr;

class ListeningSocketTest : public ::testing::Test {
 protected:
  mode_t Mode() const {
    struct stat found;
    return lstat(path_.c_str(), &found) == 0 ? found.st_mode : 0;
  }

  TempDir temp_;
  const std::string path_ = absl::StrCat(temp_.path(), "/a.sock");
};

// A6
TEST_F(ListeningSocketTest, TheModeIsExactUnderAnyUmask) {
  for (const mode_t mask : {0, 022, 077, 0777}) {
    for (const mode_t mode : {0600, 0660, 0666}) {
      const mode_t before = umask(mask);
      const absl::StatusOr<std::unique_ptr<ListeningSocket>> socket = ListeningSocket::Listen(path_, mode);
      umask(before);
      ASSERT_OK(socket);
      EXPECT_EQ(Mode(), S_IFSOCK | mode) << "umask " << mask;
    }
  }
}

TEST_F(ListeningSocketTest, ClientsReachItAndItsNameGoesWithIt) {
  ASSERT_OK_AND_ASSIGN(auto socket, ListeningSocket::Listen(path_, 0600));
  ASSERT_OK_AND_ASSIGN(const Fd client, ConnectToListener(path_, Deadline::Passed()));
  const Fd accepted(accept4(socket->fd().get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(accepted.valid());
  EXPECT_LT(accept4(socket->fd().get(), nullptr, nullptr, SOCK_CLOEXEC), 0);  // Does not wait.
  socket.reset();
  EXPECT_EQ(Mode(), 0u);
  const absl::Status status = ConnectToListener(path_, Deadline::Passed()).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no server listens at")));
  EXPECT_EQ(ReasonOf(status), Reason::kNoServer);
}

// S1
TEST_F(ListeningSocketTest, ASocketOfADeadServerIsReplaced) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  {
    const Fd dead(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  EXPECT_EQ(ReasonOf(ConnectToListener(path_, Deadline::Passed()).status()), Reason::kNoServer);
  ASSERT_OK_AND_ASSIGN(const auto socket, ListeningSocket::Listen(path_, 0600));
  EXPECT_OK(ConnectToListener(path_, Deadline::Passed()));
}

// P2
TEST_F(ListeningSocketTest, AForkedChildsCopyLeavesTheName) {
  ASSERT_OK_AND_ASSIGN(auto socket, ListeningSocket::Listen(path_, 0600));
  const pid_t child = fork();
  if (child == 0) {
    socket.reset();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_OK(ConnectToListener(path_, Deadline::Passed()));
}

TEST_F(ListeningSocketTest, WhatCannotBeRemovedIsAnError) {
  std::filesystem::create_directory(path_);
  EXPECT_FALSE(ListeningSocket::Listen(path_, 0600).ok());
  EXPECT_TRUE(std::filesystem::is_directory(path_));
}

TEST_F(ListeningSocketTest, APathThatIsTooLong) {
  const std::string path(108, 'x');
  EXPECT_THAT(ListeningSocket::Listen(path, 0600), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ConnectToListener(path, Deadline::Passed()), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ipc::testing
