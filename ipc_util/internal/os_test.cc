#include "ipc_util/internal/os.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "gtest/gtest.h"
#include "ipc_util/fd.h"

namespace ipc::internal::os {
namespace {

// The weak definitions are the ones that are linked here.
TEST(OsTest, CallsGoToTheKernel) {
  const Fd memfd(MemfdCreate("test", MFD_CLOEXEC));
  ASSERT_TRUE(memfd.valid());
  ASSERT_EQ(Ftruncate(memfd.get(), 100), 0);
  struct stat file;
  ASSERT_EQ(Fstat(memfd.get(), &file), 0);
  EXPECT_EQ(file.st_size, 100);
  EXPECT_EQ(Fcntl(memfd.get(), F_GETFD, 0), FD_CLOEXEC);
}

TEST(OsTest, FailuresAreThoseOfTheManPages) {
  EXPECT_EQ(Close(-1), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(Open("/no/such/file", O_RDONLY, 0), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(Mmap(nullptr, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
  EXPECT_EQ(errno, EINVAL);
  const Fd self(PidFdOpen(getpid(), 0));
  EXPECT_TRUE(self.valid());
}

TEST(OsTest, MessagesGoWhole) {
  int sockets[2];
  ASSERT_EQ(SocketPair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  const Fd here(sockets[0]);
  const Fd there(sockets[1]);
  char text[] = "whole";
  iovec part = {.iov_base = text, .iov_len = 5};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  EXPECT_EQ(SendMsg(here.get(), &message, MSG_NOSIGNAL), 5);
  EXPECT_EQ(RecvMsg(there.get(), &message, MSG_DONTWAIT), 5);
}

// What a test can ask for by the environment is nothing to production.
TEST(OsTest, PointsDoNothing) {
  ASSERT_EQ(setenv("SLUICE_OS_TESTING", "kill here; fail Close EINTR", 1), 0);
  Point("here");
  EXPECT_EQ(Close(dup(0)), 0);
  unsetenv("SLUICE_OS_TESTING");
}

}  // namespace
}  // namespace ipc::internal::os
