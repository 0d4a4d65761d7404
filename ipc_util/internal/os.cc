// Compiled twice: as `:os`, and with SLUICE_OS_TESTING as part of `:os_testing`.

#include "ipc_util/internal/os.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SLUICE_OS_TESTING
#include "ipc_util/internal/os_interceptor.h"
#define SLUICE_OS_DEFINITION
#else
#define SLUICE_OS_DEFINITION [[gnu::weak]]  // Gives way to the definition in `:os_testing`.
#endif

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace ipc {
inline namespace sluice_0 {
namespace internal::os {

#ifndef SLUICE_OS_TESTING
namespace {

template <typename F>
auto Call(const char*, F call) {
  return call();
}

template <typename Message, typename F>
ssize_t Transfer(const char*, Message* message, F call) {
  return call(message);
}

void ReachPoint(const char*) {}

}  // namespace
#endif

SLUICE_OS_DEFINITION int MemfdCreate(const char* name, unsigned flags) {
  return Call("MemfdCreate", [&] { return ::memfd_create(name, flags); });
}
SLUICE_OS_DEFINITION int Ftruncate(int fd, off_t bytes) {
  return Call("Ftruncate", [&] { return ::ftruncate(fd, bytes); });
}
SLUICE_OS_DEFINITION int Fallocate(int fd, int mode, off_t offset, off_t bytes) {
  return Call("Fallocate", [&] { return ::fallocate(fd, mode, offset, bytes); });
}
SLUICE_OS_DEFINITION void* Mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return Call("Mmap", [&] { return ::mmap(address, bytes, protection, flags, fd, offset); });
}
SLUICE_OS_DEFINITION int Munmap(void* address, size_t bytes) {
  return Call("Munmap", [&] { return ::munmap(address, bytes); });
}
SLUICE_OS_DEFINITION int Mprotect(void* address, size_t bytes, int protection) {
  return Call("Mprotect", [&] { return ::mprotect(address, bytes, protection); });
}
SLUICE_OS_DEFINITION int Madvise(void* address, size_t bytes, int advice) {
  return Call("Madvise", [&] { return ::madvise(address, bytes, advice); });
}
SLUICE_OS_DEFINITION int Munlock(const void* address, size_t bytes) {
  return Call("Munlock", [&] { return ::munlock(address, bytes); });
}
SLUICE_OS_DEFINITION int Fcntl(int fd, int command, long argument) {
  return Call("Fcntl", [&] { return ::fcntl(fd, command, argument); });
}
SLUICE_OS_DEFINITION int FcntlLock(int fd, int command, struct flock* lock) {
  return Call("FcntlLock", [&] { return ::fcntl(fd, command, lock); });
}
SLUICE_OS_DEFINITION int Ioctl(int fd, unsigned long request, void* argument) {
  return Call("Ioctl", [&] { return ::ioctl(fd, request, argument); });
}
SLUICE_OS_DEFINITION int Fstat(int fd, struct stat* out) {
  return Call("Fstat", [&] { return ::fstat(fd, out); });
}
SLUICE_OS_DEFINITION int Fstatfs(int fd, struct statfs* out) {
  return Call("Fstatfs", [&] { return ::fstatfs(fd, out); });
}
SLUICE_OS_DEFINITION int Stat(const char* path, struct stat* out) {
  return Call("Stat", [&] { return ::stat(path, out); });
}
SLUICE_OS_DEFINITION int Lstat(const char* path, struct stat* out) {
  return Call("Lstat", [&] { return ::lstat(path, out); });
}
SLUICE_OS_DEFINITION int Open(const char* path, int flags, mode_t mode) {
  return Call("Open", [&] { return ::open(path, flags, mode); });
}
SLUICE_OS_DEFINITION ssize_t Read(int fd, void* out, size_t bytes) {
  return Call("Read", [&] { return ::read(fd, out, bytes); });
}
SLUICE_OS_DEFINITION ssize_t Pread(int fd, void* out, size_t bytes, off_t offset) {
  return Call("Pread", [&] { return ::pread(fd, out, bytes, offset); });
}
SLUICE_OS_DEFINITION ssize_t Pwrite(int fd, const void* data, size_t bytes, off_t offset) {
  return Call("Pwrite", [&] { return ::pwrite(fd, data, bytes, offset); });
}
SLUICE_OS_DEFINITION ssize_t GetDents(int fd, void* out, size_t bytes) {
  return Call("GetDents", [&] { return static_cast<ssize_t>(::syscall(SYS_getdents64, fd, out, bytes)); });
}
SLUICE_OS_DEFINITION int Mkdir(const char* path, mode_t mode) {
  return Call("Mkdir", [&] { return ::mkdir(path, mode); });
}
SLUICE_OS_DEFINITION int Fchmod(int fd, mode_t mode) {
  return Call("Fchmod", [&] { return ::fchmod(fd, mode); });
}
SLUICE_OS_DEFINITION int Chmod(const char* path, mode_t mode) {
  return Call("Chmod", [&] { return ::chmod(path, mode); });
}
SLUICE_OS_DEFINITION int Unlink(const char* path) {
  return Call("Unlink", [&] { return ::unlink(path); });
}
SLUICE_OS_DEFINITION int Close(int fd) {
  return Call("Close", [&] { return ::close(fd); });
}

SLUICE_OS_DEFINITION int Socket(int domain, int type, int protocol) {
  return Call("Socket", [&] { return ::socket(domain, type, protocol); });
}
SLUICE_OS_DEFINITION int SocketPair(int domain, int type, int protocol, int out[2]) {
  return Call("SocketPair", [&] { return ::socketpair(domain, type, protocol, out); });
}
SLUICE_OS_DEFINITION int Bind(int fd, const sockaddr* address, socklen_t bytes) {
  return Call("Bind", [&] { return ::bind(fd, address, bytes); });
}
SLUICE_OS_DEFINITION int Listen(int fd, int backlog) {
  return Call("Listen", [&] { return ::listen(fd, backlog); });
}
SLUICE_OS_DEFINITION int Accept(int fd, int flags) {
  return Call("Accept", [&] { return ::accept4(fd, nullptr, nullptr, flags); });
}
SLUICE_OS_DEFINITION int Connect(int fd, const sockaddr* address, socklen_t bytes) {
  return Call("Connect", [&] { return ::connect(fd, address, bytes); });
}
SLUICE_OS_DEFINITION int GetPeerName(int fd, sockaddr* address, socklen_t* bytes) {
  return Call("GetPeerName", [&] { return ::getpeername(fd, address, bytes); });
}
SLUICE_OS_DEFINITION int GetSockName(int fd, sockaddr* address, socklen_t* bytes) {
  return Call("GetSockName", [&] { return ::getsockname(fd, address, bytes); });
}
SLUICE_OS_DEFINITION int GetSockOpt(int fd, int level, int name, void* value, socklen_t* bytes) {
  return Call("GetSockOpt", [&] { return ::getsockopt(fd, level, name, value, bytes); });
}
SLUICE_OS_DEFINITION int SetSockOpt(int fd, int level, int name, const void* value, socklen_t bytes) {
  return Call("SetSockOpt", [&] { return ::setsockopt(fd, level, name, value, bytes); });
}
SLUICE_OS_DEFINITION int Shutdown(int fd, int how) {
  return Call("Shutdown", [&] { return ::shutdown(fd, how); });
}
SLUICE_OS_DEFINITION ssize_t SendMsg(int fd, const msghdr* message, int flags) {
  return Transfer("SendMsg", message, [&](const msghdr* part) { return ::sendmsg(fd, part, flags); });
}
SLUICE_OS_DEFINITION ssize_t RecvMsg(int fd, msghdr* message, int flags) {
  return Transfer("RecvMsg", message, [&](msghdr* part) { return ::recvmsg(fd, part, flags); });
}
SLUICE_OS_DEFINITION int SendMMsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  return Call("SendMMsg", [&] { return ::sendmmsg(fd, messages, count, flags); });
}
SLUICE_OS_DEFINITION int RecvMMsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  return Call("RecvMMsg", [&] { return ::recvmmsg(fd, messages, count, flags, nullptr); });
}
SLUICE_OS_DEFINITION int Poll(pollfd* fds, nfds_t count, const timespec* timeout) {
  return Call("Poll", [&] { return ::ppoll(fds, count, timeout, nullptr); });
}
SLUICE_OS_DEFINITION int PidFdOpen(pid_t pid, unsigned flags) {
  return Call("PidFdOpen", [&] { return static_cast<int>(::syscall(SYS_pidfd_open, pid, flags)); });
}
SLUICE_OS_DEFINITION int WaitId(idtype_t type, id_t id, siginfo_t* out, int options) {
  return Call("WaitId", [&] { return ::waitid(type, id, out, options); });
}

SLUICE_OS_DEFINITION int EpollCreate(int flags) {
  return Call("EpollCreate", [&] { return ::epoll_create1(flags); });
}
SLUICE_OS_DEFINITION int EpollCtl(int fd, int operation, int target, epoll_event* event) {
  return Call("EpollCtl", [&] { return ::epoll_ctl(fd, operation, target, event); });
}
SLUICE_OS_DEFINITION int EpollWait(int fd, epoll_event* events, int count, int timeout_milliseconds) {
  return Call("EpollWait", [&] { return ::epoll_wait(fd, events, count, timeout_milliseconds); });
}
SLUICE_OS_DEFINITION int TimerFd(clockid_t clock, int flags) {
  return Call("TimerFd", [&] { return ::timerfd_create(clock, flags); });
}
SLUICE_OS_DEFINITION int TimerFdSet(int fd, int flags, const itimerspec* time) {
  return Call("TimerFdSet", [&] { return ::timerfd_settime(fd, flags, time, nullptr); });
}
SLUICE_OS_DEFINITION int EventFd(unsigned initial, int flags) {
  return Call("EventFd", [&] { return ::eventfd(initial, flags); });
}
SLUICE_OS_DEFINITION int EventFdRead(int fd, eventfd_t* value) {
  return Call("EventFdRead", [&] { return ::eventfd_read(fd, value); });
}
SLUICE_OS_DEFINITION int EventFdWrite(int fd, eventfd_t value) {
  return Call("EventFdWrite", [&] { return ::eventfd_write(fd, value); });
}
SLUICE_OS_DEFINITION int FutexWait(const uint32_t* word, uint32_t value, const timespec* timeout) {
  return Call("FutexWait",
              [&] { return static_cast<int>(::syscall(SYS_futex, word, FUTEX_WAIT, value, timeout, nullptr, 0)); });
}
SLUICE_OS_DEFINITION int FutexWake(const uint32_t* word, int count) {
  return Call("FutexWake",
              [&] { return static_cast<int>(::syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0)); });
}

SLUICE_OS_DEFINITION int MqOpen(const char* name, int flags, mode_t mode, mq_attr* attributes) {
  return Call("MqOpen", [&] { return ::mq_open(name, flags, mode, attributes); });
}
SLUICE_OS_DEFINITION int MqUnlink(const char* name) {
  return Call("MqUnlink", [&] { return ::mq_unlink(name); });
}
SLUICE_OS_DEFINITION int MqGetAttr(int queue, mq_attr* out) {
  return Call("MqGetAttr", [&] { return ::mq_getattr(queue, out); });
}
SLUICE_OS_DEFINITION int MqTimedSend(int queue, const void* message, size_t bytes, unsigned priority,
                                     const timespec* until) {
  return Call("MqTimedSend",
              [&] { return ::mq_timedsend(queue, static_cast<const char*>(message), bytes, priority, until); });
}
SLUICE_OS_DEFINITION ssize_t MqTimedReceive(int queue, void* out, size_t bytes, unsigned* priority,
                                            const timespec* until) {
  return Call("MqTimedReceive",
              [&] { return ::mq_timedreceive(queue, static_cast<char*>(out), bytes, priority, until); });
}

SLUICE_OS_DEFINITION void Point(const char* name) { ReachPoint(name); }

}  // namespace internal::os
}  // namespace sluice_0
}  // namespace ipc
