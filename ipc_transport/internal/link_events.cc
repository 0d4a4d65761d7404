#include "ipc_transport/internal/link_events.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "ipc_transport/internal/epoll.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<std::unique_ptr<LinkEvents>> LinkEvents::Create(std::shared_ptr<Link> link, FdView more) {
  SLUICE_ASSIGN_OR_RETURN(Fd epoll, MakeEpoll());
  Fd event(os::EventFd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return FromErrno(errno, "make an eventfd");
  link->AddListener(event);
  std::unique_ptr<LinkEvents> events(new LinkEvents(std::move(link), std::move(epoll), std::move(event)));
  for (const FdView fd : {events->event_.view(), events->link_->socket(), events->link_->peer_fd(), more}) {
    if (fd.valid()) SLUICE_RETURN_IF_ERROR(Watch(events->epoll_, fd, EPOLLIN));
  }
  return events;
}

LinkEvents::~LinkEvents() { link_->RemoveListener(event_); }

void LinkEvents::Quiet() {
  eventfd_t count;
  os::EventFdRead(event_.get(), &count);
}

void LinkEvents::Signal() { os::EventFdWrite(event_.get(), 1); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
