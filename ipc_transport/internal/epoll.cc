#include "ipc_transport/internal/epoll.h"

#include <sys/epoll.h>

#include <cerrno>

#include "ipc_util/internal/os.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<Fd> MakeEpoll() {
  Fd epoll(os::EpollCreate(EPOLL_CLOEXEC));
  if (!epoll.valid()) return FromErrno(errno, "make an epoll descriptor");
  return epoll;
}

absl::Status Watch(FdView epoll, FdView fd, uint32_t events, uint64_t key) {
  epoll_event event = {.events = events, .data = {.u64 = key}};
  if (os::EpollCtl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0) return absl::OkStatus();
  return FromErrno(errno, "watch a descriptor");
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
