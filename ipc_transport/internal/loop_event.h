// What a user's event loop watches of a channel or session: one descriptor, readable for any of several reasons.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_LOOP_EVENT_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_LOOP_EVENT_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One thread at a time.
class LoopEvent {
 public:
  // Readable at first, and while `waitable` is ready. RESOURCE_EXHAUSTED: no descriptor (raise RLIMIT_NOFILE).
  static absl::StatusOr<std::unique_ptr<LoopEvent>> Create(const Waitable& waitable);

  // Readable while `waitable` is ready too, until its descriptor is closed. Errors as of `FromErrno`.
  absl::Status Add(const Waitable& waitable);

  FdView fd() const { return epoll_; }

  // Readable until `Quiet`.
  void Signal();
  void Quiet();

  // Readable from `deadline` on, until the next call.
  void SetTimer(Deadline deadline);

 private:
  LoopEvent(Fd epoll, Fd event, Fd timer)
      : epoll_(std::move(epoll)), event_(std::move(event)), timer_(std::move(timer)) {}

  const Fd epoll_;
  const Fd event_;
  const Fd timer_;
  bool timer_is_set_ = false;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_LOOP_EVENT_H_
