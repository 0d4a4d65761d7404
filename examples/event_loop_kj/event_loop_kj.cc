// Two channels and a timer in one event loop of KJ, the one that Cap'n Proto RPC runs in.

#include <kj/async-unix.h>
#include <kj/async.h>
#include <kj/time.h>
#include <kj/timer.h>
#include <poll.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/event_loop/program.h"
#include "examples/event_loop/service.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"

namespace event_loop {
namespace {

using Observer = kj::UnixEventPort::FdObserver;

// KJ takes a descriptor only once, and a socket has one for both directions: so it gets duplicates. It tells of changes
// only (edge-triggered): wait for one just after a call was refused, never else.
class Watch {
 public:
  Watch(kj::UnixEventPort& port, ipc::Fd duplicate, short events)
      : fd_(std::move(duplicate)),
        is_for_writing_((events & POLLOUT) != 0),
        observer_(port, fd_.get(), is_for_writing_ ? Observer::OBSERVE_WRITE : Observer::OBSERVE_READ) {}

  kj::Promise<void> Once() {
    return is_for_writing_ ? observer_.whenBecomesWritable() : observer_.whenBecomesReadable();
  }

 private:
  const ipc::Fd fd_;
  const bool is_for_writing_;
  Observer observer_;
};

absl::StatusOr<kj::Own<Watch>> MakeWatch(kj::UnixEventPort& port, const absl::StatusOr<ipc::Waitable>& waitable) {
  if (!waitable.ok()) return waitable.status();
  absl::StatusOr<ipc::Fd> duplicate = ipc::Duplicate(waitable->fd);
  if (!duplicate.ok()) return duplicate.status();
  return kj::heap<Watch>(port, *std::move(duplicate), waitable->events);
}

// One service in the loop.
class Served {
 public:
  Served(Service& service, kj::Timer& timer, kj::Own<Watch> request, kj::Own<Watch> room)
      : service_(service), timer_(timer), request_(kj::mv(request)), room_(kj::mv(room)) {}

  // Until the service has ended.
  kj::Promise<void> Run() {
    switch (service_.Go()) {
      case Service::Next::kWaitForRequest:
        return request_->Once().then([this] { return Run(); });
      case Service::Next::kWaitForRoom:
        return room_->Once().then([this] { return Run(); });
      case Service::Next::kYield:
        // No change will come. Unlike kj::evalLater, this lets the loop look at its descriptors first.
        return timer_.afterDelay(0 * kj::NANOSECONDS).then([this] { return Run(); });
      case Service::Next::kEnd:
        break;
    }
    return kj::READY_NOW;
  }

 private:
  Service& service_;
  kj::Timer& timer_;
  kj::Own<Watch> request_;
  kj::Own<Watch> room_;
};

absl::StatusOr<kj::Own<Served>> MakeServed(kj::UnixEventPort& port, Service& service) {
  absl::StatusOr<kj::Own<Watch>> request = MakeWatch(port, service.channel().ReceiveWaitable());
  if (!request.ok()) return request.status();
  absl::StatusOr<kj::Own<Watch>> room = MakeWatch(port, service.channel().SendWaitable());
  if (!room.ok()) return room.status();
  return kj::heap<Served>(service, port.getTimer(), *std::move(request), *std::move(room));
}

// For ever.
kj::Promise<void> Tick(kj::Timer& timer, Figures& figures) {
  return timer.afterDelay(absl::ToInt64Nanoseconds(kTick) * kj::NANOSECONDS).then([&timer, &figures] {
    ++figures.ticks;
    return Tick(timer, figures);
  });
}

absl::Status RunLoop(Service& ring, Service& socket, Figures& figures) {
  kj::UnixEventPort port;
  kj::EventLoop loop(port);
  kj::WaitScope scope(loop);
  absl::StatusOr<kj::Own<Served>> served_ring = MakeServed(port, ring);
  if (!served_ring.ok()) return served_ring.status();
  absl::StatusOr<kj::Own<Served>> served_socket = MakeServed(port, socket);
  if (!served_socket.ok()) return served_socket.status();
  // Try first: only a refused call makes the descriptors tell of what comes later.
  auto services = kj::heapArrayBuilder<kj::Promise<void>>(2);
  services.add((*served_ring)->Run());
  services.add((*served_socket)->Run());
  kj::joinPromises(services.finish()).exclusiveJoin(Tick(port.getTimer(), figures)).wait(scope);
  return absl::OkStatus();
}

}  // namespace
}  // namespace event_loop

int main(int argc, char** argv) { return event_loop::RunProgram(argc, argv, &event_loop::RunLoop); }
