// A structured channel as one descriptor for an event loop.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_EVENT_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_EVENT_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One thread at a time.
class ChannelEvent {
 public:
  // Readable at first, and while `pipe` is. RESOURCE_EXHAUSTED: no descriptor (raise RLIMIT_NOFILE).
  // FAILED_PRECONDITION: this kind of pipe has none.
  static absl::StatusOr<std::unique_ptr<ChannelEvent>> Create(Pipe& pipe);

  FdView fd() const { return epoll_; }

  // Readable until `Quiet`.
  void Signal();
  void Quiet();

  // Readable from `deadline` on, until the next call.
  void SetTimer(Deadline deadline);

 private:
  ChannelEvent(Fd epoll, Fd event, Fd timer)
      : epoll_(std::move(epoll)), event_(std::move(event)), timer_(std::move(timer)) {}

  const Fd epoll_;
  const Fd event_;
  const Fd timer_;
  bool timer_is_set_ = false;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_EVENT_H_
