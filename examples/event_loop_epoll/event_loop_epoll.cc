// Two channels and a timer in one loop of epoll(7).

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/event_loop/program.h"
#include "examples/event_loop/service.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/status.h"

namespace event_loop {
namespace {

// Owns the epoll descriptor; what it watches is owned by others.
class EpollLoop {
 public:
  absl::Status Run(Service& ring, Service& socket, Figures& figures) {
    if (!epoll_.valid()) return ipc::FromErrno(errno, "make an epoll descriptor");
    const absl::StatusOr<ipc::Fd> timer = StartTimer();
    if (!timer.ok()) return timer.status();
    // Try first: only a refused call makes the descriptors tell of what comes later.
    for (Service* service : {&ring, &socket}) {
      if (absl::Status status = Serve(*service); !status.ok()) return status;
    }
    while (open_ > 0) {
      std::array<epoll_event, 8> events;
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), /*timeout=*/-1);
      if (count < 0 && errno != EINTR) return ipc::FromErrno(errno, "wait for events");
      for (int i = 0; i < count; ++i) {
        auto* const service = static_cast<Service*>(events[i].data.ptr);
        if (service == nullptr) {
          figures.ticks += ReadTicks(*timer);
        } else if (absl::Status status = Serve(*service); !status.ok()) {
          return status;
        }
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Serve(Service& service) {
    switch (service.Go()) {
      case Service::Next::kWaitForRequest:
      case Service::Next::kYield:  // No receiving call was refused, so that its descriptor is ready at once.
        return WatchOnce(service.channel().ReceiveWaitable(), service);
      case Service::Next::kWaitForRoom:
        return WatchOnce(service.channel().SendWaitable(), service);
      case Service::Next::kEnd:
        --open_;
        return absl::OkStatus();
    }
    return absl::InternalError("no such step");
  }

  // One event, after which the descriptor is left alone: while the service waits for room, requests must not wake us.
  // A ring has a descriptor for each direction, a socket one for both, so the second watch replaces the first.
  absl::Status WatchOnce(const absl::StatusOr<ipc::Waitable>& waitable, Service& service) {
    if (!waitable.ok()) return waitable.status();
    epoll_event event = {.events = static_cast<uint32_t>(waitable->events) | EPOLLONESHOT, .data = {.ptr = &service}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, waitable->fd.get(), &event) == 0) return absl::OkStatus();
    if (errno == ENOENT && epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, waitable->fd.get(), &event) == 0) {
      return absl::OkStatus();
    }
    return ipc::FromErrno(errno, "watch a channel");
  }

  absl::StatusOr<ipc::Fd> StartTimer() {
    ipc::Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const timespec tick = absl::ToTimespec(kTick);
    const itimerspec times = {.it_interval = tick, .it_value = tick};
    epoll_event event = {.events = EPOLLIN, .data = {.ptr = nullptr}};
    if (!timer.valid() || timerfd_settime(timer.get(), 0, &times, nullptr) != 0 ||
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0) {
      return ipc::FromErrno(errno, "start a timer");
    }
    return timer;
  }

  static uint64_t ReadTicks(ipc::FdView timer) {
    uint64_t ticks = 0;
    return read(timer.get(), &ticks, sizeof(ticks)) == sizeof(ticks) ? ticks : 0;
  }

  const ipc::Fd epoll_{epoll_create1(EPOLL_CLOEXEC)};
  int open_ = 2;
};

absl::Status RunLoop(Service& ring, Service& socket, Figures& figures) {
  return EpollLoop().Run(ring, socket, figures);
}

}  // namespace
}  // namespace event_loop

int main(int argc, char** argv) { return event_loop::RunProgram(argc, argv, &event_loop::RunLoop); }
