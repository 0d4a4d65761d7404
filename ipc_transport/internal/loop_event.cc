#include "ipc_transport/internal/loop_event.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "ipc_transport/internal/epoll.h"
#include "ipc_transport/internal/timer_fd.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT);

absl::StatusOr<std::unique_ptr<LoopEvent>> LoopEvent::Create(const Waitable& waitable) {
  SLUICE_ASSIGN_OR_RETURN(Fd epoll, MakeEpoll());
  Fd event(os::EventFd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return FromErrno(errno, "make an eventfd");
  SLUICE_ASSIGN_OR_RETURN(Fd timer, MakeTimer());
  SLUICE_RETURN_IF_ERROR(Watch(epoll, waitable.fd, static_cast<uint32_t>(waitable.events)));
  SLUICE_RETURN_IF_ERROR(Watch(epoll, event, EPOLLIN));
  SLUICE_RETURN_IF_ERROR(Watch(epoll, timer, EPOLLIN));
  return std::unique_ptr<LoopEvent>(new LoopEvent(std::move(epoll), std::move(event), std::move(timer)));
}

absl::Status LoopEvent::Add(const Waitable& waitable) {
  return Watch(epoll_, waitable.fd, static_cast<uint32_t>(waitable.events));
}

void LoopEvent::Signal() { os::EventFdWrite(event_.get(), 1); }

void LoopEvent::Quiet() {
  eventfd_t count;
  os::EventFdRead(event_.get(), &count);
}

void LoopEvent::SetTimer(Deadline deadline) {
  if (deadline.never() && !timer_is_set_) return;
  timer_is_set_ = !deadline.never();
  internal::SetTimer(timer_, deadline);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
