// A link as one descriptor for an event loop.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_LINK_EVENTS_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_LINK_EVENTS_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc_transport/internal/link.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One per direction of a pipe that is in an event loop, as each is quiet again at a time of its own. One thread.
//
// `fd()` is readable while the link's socket has something in it, its peer has gone, or something that somebody else
// read came in since the last `Quiet`. In order to wait: `Link::Pump`, `Quiet`, tell the peer that this side sleeps,
// look at the ring once more.
class LinkEvents {
 public:
  // Readable at first. `more`, if valid, is watched for reading too. RESOURCE_EXHAUSTED: no descriptor (raise
  // RLIMIT_NOFILE).
  static absl::StatusOr<std::unique_ptr<LinkEvents>> Create(std::shared_ptr<Link> link, FdView more = {});
  ~LinkEvents();

  FdView fd() const { return epoll_; }

  // No longer readable for what somebody else read.
  void Quiet();
  // Readable until `Quiet`.
  void Signal();

 private:
  LinkEvents(std::shared_ptr<Link> link, Fd epoll, Fd event)
      : link_(std::move(link)), epoll_(std::move(epoll)), event_(std::move(event)) {}

  const std::shared_ptr<Link> link_;
  const Fd epoll_;
  const Fd event_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_LINK_EVENTS_H_
