// What a loop waits for, behind one descriptor: descriptors of any number, and a point in time.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_EVENT_SET_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_EVENT_SET_H_

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Move-only. One thread at a time, and not in a forked child, which shares it.
class EventSet {
 public:
  // RESOURCE_EXHAUSTED: no descriptors for it (raise RLIMIT_NOFILE).
  static absl::StatusOr<EventSet> Create();

  // Readable when a descriptor of the set is ready, or its time has come.
  FdView fd() const { return epoll_; }

  // Watches `fd`, which is not in the set, for `events` of epoll(7). `key` is the caller's: any but the greatest
  // number.
  absl::Status Add(FdView fd, uint32_t events, uint64_t key);
  // Other events of one that is in the set; 0: none.
  void Change(FdView fd, uint32_t events, uint64_t key);
  // To be called before `fd` is closed or handed on: a forked child may keep its copy open.
  void Remove(FdView fd);

  // The keys of some that are ready now, all of them if they are not many.
  std::vector<uint64_t> Ready() const;

  // `fd()` becomes readable at `time`, too; a later call replaces it.
  void WakeAt(Deadline time);

 private:
  // Of the timer.
  static constexpr uint64_t kTimeKey = std::numeric_limits<uint64_t>::max();

  EventSet(Fd epoll, Fd timer) : epoll_(std::move(epoll)), timer_(std::move(timer)) {}

  Fd epoll_;
  Fd timer_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_EVENT_SET_H_
