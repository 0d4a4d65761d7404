#include "ipc_transport/internal/event_set.h"

#include <sys/epoll.h>

#include <array>

#include "ipc_transport/internal/epoll.h"
#include "ipc_transport/internal/timer_fd.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<EventSet> EventSet::Create() {
  SLUICE_ASSIGN_OR_RETURN(Fd epoll, MakeEpoll());
  SLUICE_ASSIGN_OR_RETURN(Fd timer, MakeTimer());
  SLUICE_RETURN_IF_ERROR(Watch(epoll, timer, EPOLLIN, kTimeKey));
  return EventSet(std::move(epoll), std::move(timer));
}

absl::Status EventSet::Add(FdView fd, uint32_t events, uint64_t key) { return Watch(epoll_, fd, events, key); }

void EventSet::Change(FdView fd, uint32_t events, uint64_t key) {
  epoll_event event = {.events = events, .data = {.u64 = key}};
  os::EpollCtl(epoll_.get(), EPOLL_CTL_MOD, fd.get(), &event);
}

void EventSet::Remove(FdView fd) { os::EpollCtl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr); }

std::vector<uint64_t> EventSet::Ready() const {
  std::array<epoll_event, 64> events;
  const int count = os::EpollWait(epoll_.get(), events.data(), events.size(), 0);
  std::vector<uint64_t> keys;
  for (int i = 0; i < count; ++i) {
    const uint64_t key = events[i].data.u64;  // No reference to it: the structure is packed.
    if (key != kTimeKey) keys.push_back(key);
  }
  return keys;
}

void EventSet::WakeAt(Deadline time) { SetTimer(timer_, time); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
