#include "ipc_util/internal/os.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

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

TEST(OsTest, QueuesPassMessagesAndTellEpoll) {
  const std::string name = "/sluice-os-test." + std::to_string(getpid());
  mq_attr attributes = {};
  attributes.mq_maxmsg = 2;
  attributes.mq_msgsize = 8;
  const Fd queue(MqOpen(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes));
  ASSERT_TRUE(queue.valid());
  EXPECT_EQ(MqUnlink(name.c_str()), 0);
  const timespec at_once = {};
  char message[8];
  EXPECT_EQ(MqTimedReceive(queue.get(), message, sizeof(message), nullptr, &at_once), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  EXPECT_EQ(MqTimedSend(queue.get(), "hello", 5, 0, &at_once), 0);
  ASSERT_EQ(MqGetAttr(queue.get(), &attributes), 0);
  EXPECT_EQ(attributes.mq_curmsgs, 1);
  const Fd epoll(EpollCreate(EPOLL_CLOEXEC));
  epoll_event event = {.events = EPOLLIN, .data = {}};
  ASSERT_EQ(EpollCtl(epoll.get(), EPOLL_CTL_ADD, queue.get(), &event), 0);
  EXPECT_EQ(EpollWait(epoll.get(), &event, 1, 0), 1);
  EXPECT_EQ(MqTimedReceive(queue.get(), message, sizeof(message), nullptr, &at_once), 5);
  EXPECT_EQ(EpollWait(epoll.get(), &event, 1, 0), 0);
}

TEST(OsTest, FoldersAreListed) {
  const Fd folder(Open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  char entries[8192];
  EXPECT_GT(GetDents(folder.get(), entries, sizeof(entries)), 0);
  struct stat link;
  ASSERT_EQ(Lstat("/proc/self", &link), 0);
  EXPECT_TRUE(S_ISLNK(link.st_mode));
  const Fd file(Open("/proc/self/comm", O_RDONLY | O_CLOEXEC, 0));
  EXPECT_GT(Read(file.get(), entries, sizeof(entries)), 0);
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
