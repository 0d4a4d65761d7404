#include "ipc_util/internal/os.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace ipc {
inline namespace sluice_0 {
namespace internal::os {

int MemfdCreate(const char* name, unsigned flags) { return ::memfd_create(name, flags); }
int Ftruncate(int fd, off_t bytes) { return ::ftruncate(fd, bytes); }
int Fallocate(int fd, int mode, off_t offset, off_t bytes) { return ::fallocate(fd, mode, offset, bytes); }
void* Mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return ::mmap(address, bytes, protection, flags, fd, offset);
}
int Munmap(void* address, size_t bytes) { return ::munmap(address, bytes); }
int Mprotect(void* address, size_t bytes, int protection) { return ::mprotect(address, bytes, protection); }
int Madvise(void* address, size_t bytes, int advice) { return ::madvise(address, bytes, advice); }
int Munlock(const void* address, size_t bytes) { return ::munlock(address, bytes); }
int Fcntl(int fd, int command, long argument) { return ::fcntl(fd, command, argument); }
int FcntlLock(int fd, int command, struct flock* lock) { return ::fcntl(fd, command, lock); }
int Fstat(int fd, struct stat* out) { return ::fstat(fd, out); }
int Stat(const char* path, struct stat* out) { return ::stat(path, out); }
int Open(const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); }
int Mkdir(const char* path, mode_t mode) { return ::mkdir(path, mode); }
int Fchmod(int fd, mode_t mode) { return ::fchmod(fd, mode); }
int Chmod(const char* path, mode_t mode) { return ::chmod(path, mode); }
int Unlink(const char* path) { return ::unlink(path); }
int Close(int fd) { return ::close(fd); }

int Socket(int domain, int type, int protocol) { return ::socket(domain, type, protocol); }
int SocketPair(int domain, int type, int protocol, int out[2]) { return ::socketpair(domain, type, protocol, out); }
int Bind(int fd, const sockaddr* address, socklen_t bytes) { return ::bind(fd, address, bytes); }
int Listen(int fd, int backlog) { return ::listen(fd, backlog); }
int Accept(int fd, int flags) { return ::accept4(fd, nullptr, nullptr, flags); }
int Connect(int fd, const sockaddr* address, socklen_t bytes) { return ::connect(fd, address, bytes); }
int GetSockOpt(int fd, int level, int name, void* value, socklen_t* bytes) {
  return ::getsockopt(fd, level, name, value, bytes);
}
int SetSockOpt(int fd, int level, int name, const void* value, socklen_t bytes) {
  return ::setsockopt(fd, level, name, value, bytes);
}
int Shutdown(int fd, int how) { return ::shutdown(fd, how); }
ssize_t SendMsg(int fd, const msghdr* message, int flags) { return ::sendmsg(fd, message, flags); }
ssize_t RecvMsg(int fd, msghdr* message, int flags) { return ::recvmsg(fd, message, flags); }
int Poll(pollfd* fds, nfds_t count, const timespec* timeout) { return ::ppoll(fds, count, timeout, nullptr); }
int PidFdOpen(pid_t pid, unsigned flags) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, flags)); }

int EventFd(unsigned initial, int flags) { return ::eventfd(initial, flags); }
int EventFdRead(int fd, eventfd_t* value) { return ::eventfd_read(fd, value); }
int EventFdWrite(int fd, eventfd_t value) { return ::eventfd_write(fd, value); }

void Point(const char*) {}

}  // namespace internal::os
}  // namespace sluice_0
}  // namespace ipc
