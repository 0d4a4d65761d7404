// The operating system behind a seam: each call that Sluice makes, as a plain function with two link-time
// implementations. `:os` calls the kernel and defines its functions as weak symbols. `:os_testing`, linked into a test
// beside it, defines the same functions as strong symbols, which win: they can fail the N-th call, cut a message short,
// or stop the process at a named point (os_testing.h). So libraries depend on `:os` alone, are built once for both, and
// production pays nothing. Semantics are those of the man pages: -1 and errno on failure.

#ifndef SLUICE_IPC_UTIL_INTERNAL_OS_H_
#define SLUICE_IPC_UTIL_INTERNAL_OS_H_

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

#include <cstddef>
#include <cstdint>

namespace ipc {
inline namespace sluice_0 {
namespace internal::os {

int MemfdCreate(const char* name, unsigned flags);
int Ftruncate(int fd, off_t bytes);
int Fallocate(int fd, int mode, off_t offset, off_t bytes);
void* Mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset);
int Munmap(void* address, size_t bytes);
int Mprotect(void* address, size_t bytes, int protection);
int Madvise(void* address, size_t bytes, int advice);
int Munlock(const void* address, size_t bytes);
int Fcntl(int fd, int command, long argument);
int FcntlLock(int fd, int command, struct flock* lock);
int Ioctl(int fd, unsigned long request, void* argument);
int Fstat(int fd, struct stat* out);
int Fstatfs(int fd, struct statfs* out);
int Stat(const char* path, struct stat* out);
int Lstat(const char* path, struct stat* out);
int Open(const char* path, int flags, mode_t mode);
ssize_t Read(int fd, void* out, size_t bytes);
ssize_t Pread(int fd, void* out, size_t bytes, off_t offset);
ssize_t Pwrite(int fd, const void* data, size_t bytes, off_t offset);
// getdents64(2): records of linux_dirent64.
ssize_t GetDents(int fd, void* out, size_t bytes);
int Mkdir(const char* path, mode_t mode);
int Fchmod(int fd, mode_t mode);
int Chmod(const char* path, mode_t mode);
int Unlink(const char* path);
int Close(int fd);

int Socket(int domain, int type, int protocol);
int SocketPair(int domain, int type, int protocol, int out[2]);
int Bind(int fd, const sockaddr* address, socklen_t bytes);
int Listen(int fd, int backlog);
int Accept(int fd, int flags);
int Connect(int fd, const sockaddr* address, socklen_t bytes);
int GetPeerName(int fd, sockaddr* address, socklen_t* bytes);
int GetSockName(int fd, sockaddr* address, socklen_t* bytes);
int GetSockOpt(int fd, int level, int name, void* value, socklen_t* bytes);
int SetSockOpt(int fd, int level, int name, const void* value, socklen_t bytes);
int Shutdown(int fd, int how);
ssize_t SendMsg(int fd, const msghdr* message, int flags);
ssize_t RecvMsg(int fd, msghdr* message, int flags);
int SendMMsg(int fd, mmsghdr* messages, unsigned count, int flags);
int RecvMMsg(int fd, mmsghdr* messages, unsigned count, int flags);
int Poll(pollfd* fds, nfds_t count, const timespec* timeout);
int PidFdOpen(pid_t pid, unsigned flags);
int WaitId(idtype_t type, id_t id, siginfo_t* out, int options);
int EpollCreate(int flags);
int EpollCtl(int fd, int operation, int target, epoll_event* event);
int EpollWait(int fd, epoll_event* events, int count, int timeout_milliseconds);
int TimerFd(clockid_t clock, int flags);
int TimerFdSet(int fd, int flags, const itimerspec* time);
int EventFd(unsigned initial, int flags);
int EventFdRead(int fd, eventfd_t* value);
int EventFdWrite(int fd, eventfd_t value);
// futex(2), FUTEX_WAIT and FUTEX_WAKE of words that several processes share; `timeout` is relative, null for none.
int FutexWait(const uint32_t* word, uint32_t value, const timespec* timeout);
int FutexWake(const uint32_t* word, int count);

int MqOpen(const char* name, int flags, mode_t mode, mq_attr* attributes);
int MqUnlink(const char* name);
int MqGetAttr(int queue, mq_attr* out);
int MqTimedSend(int queue, const void* message, size_t bytes, unsigned priority, const timespec* until);
ssize_t MqTimedReceive(int queue, void* out, size_t bytes, unsigned* priority, const timespec* until);

// A named place in a protocol, such as "session.hello.sent". Does nothing in production; a test can make the process
// die, stop or fail there. On cold paths only.
void Point(const char* name);

}  // namespace internal::os
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_INTERNAL_OS_H_
