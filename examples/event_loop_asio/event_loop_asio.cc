// Two channels and a timer in one io_context of Boost.Asio.

#include <poll.h>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
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

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

// Asio closes what it is given, and takes no descriptor twice, as it would be for both directions of a socket. So it
// gets duplicates; whoever gives it the pipe's own calls `release` before the end.
class Watch {
 public:
  static absl::StatusOr<Watch> Make(asio::io_context& context, const absl::StatusOr<ipc::Waitable>& waitable) {
    if (!waitable.ok()) return waitable.status();
    absl::StatusOr<ipc::Fd> duplicate = ipc::Duplicate(waitable->fd);
    if (!duplicate.ok()) return duplicate.status();
    return Watch(Descriptor(context, duplicate->Release()),
                 (waitable->events & POLLOUT) != 0 ? Descriptor::wait_write : Descriptor::wait_read);
  }

  template <typename Handler>
  void Once(Handler handler) {
    descriptor_.async_wait(event_, [handler = std::move(handler)](const boost::system::error_code& error) {
      if (error != asio::error::operation_aborted) handler();
    });
  }

 private:
  Watch(Descriptor descriptor, Descriptor::wait_type event) : descriptor_(std::move(descriptor)), event_(event) {}

  Descriptor descriptor_;
  Descriptor::wait_type event_;
};

// One service in the context.
class Served {
 public:
  // Calls `on_end` when the service has ended.
  static absl::StatusOr<std::unique_ptr<Served>> Make(asio::io_context& context, Service& service,
                                                      std::function<void()> on_end) {
    absl::StatusOr<Watch> request = Watch::Make(context, service.channel().ReceiveWaitable());
    if (!request.ok()) return request.status();
    absl::StatusOr<Watch> room = Watch::Make(context, service.channel().SendWaitable());
    if (!room.ok()) return room.status();
    return std::unique_ptr<Served>(new Served(service, *std::move(request), *std::move(room), std::move(on_end)));
  }

  void Go() {
    switch (service_.Go()) {
      case Service::Next::kWaitForRequest:
      case Service::Next::kYield:  // No receiving call was refused, so that its descriptor is ready at once.
        return request_.Once([this] { Go(); });
      case Service::Next::kWaitForRoom:
        return room_.Once([this] { Go(); });
      case Service::Next::kEnd:
        return on_end_();
    }
  }

 private:
  Served(Service& service, Watch request, Watch room, std::function<void()> on_end)
      : service_(service), request_(std::move(request)), room_(std::move(room)), on_end_(std::move(on_end)) {}

  Service& service_;
  Watch request_;
  Watch room_;
  const std::function<void()> on_end_;
};

// Ticks as long as the context runs.
class Ticker {
 public:
  Ticker(asio::io_context& context, Figures& figures) : timer_(context), figures_(figures) { Await(); }

 private:
  void Await() {
    timer_.expires_after(absl::ToChronoNanoseconds(kTick));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      ++figures_.ticks;
      Await();
    });
  }

  asio::steady_timer timer_;
  Figures& figures_;
};

absl::Status RunLoop(Service& ring, Service& socket, Figures& figures) {
  asio::io_context context;
  Ticker ticker(context, figures);
  int open = 2;
  const auto on_end = [&] {
    if (--open == 0) context.stop();
  };
  absl::StatusOr<std::unique_ptr<Served>> served_ring = Served::Make(context, ring, on_end);
  if (!served_ring.ok()) return served_ring.status();
  absl::StatusOr<std::unique_ptr<Served>> served_socket = Served::Make(context, socket, on_end);
  if (!served_socket.ok()) return served_socket.status();
  // Try first: only a refused call makes the descriptors tell of what comes later.
  (*served_ring)->Go();
  (*served_socket)->Go();
  context.run();
  return absl::OkStatus();
}

}  // namespace
}  // namespace event_loop

int main(int argc, char** argv) { return event_loop::RunProgram(argc, argv, &event_loop::RunLoop); }
