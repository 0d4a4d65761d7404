// The handshakes of a listener with all who connect, at once: none delays another, and their number has a limit.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_HANDSHAKE_SET_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_HANDSHAKE_SET_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ipc_transport/internal/event_set.h"
#include "ipc_transport/internal/socket_handshake.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A client that has said what it speaks.
struct AcceptedSocket {
  SocketHandshake handshake;
  PidFd process;
};

// Any thread. Clients that fail or take too long are dropped, which the log tells.
//
// When all places are taken, the handshake that is oldest loses its own to the next client, once it has had 100 ms: so
// those who connect and say nothing cannot keep others out.
class HandshakeSet {
 public:
  struct Limits {
    size_t pending = 0;
    absl::Duration timeout = absl::ZeroDuration();
  };

  // After an accept that failed for lack of descriptors, clients stay in the queue for so long.
  static constexpr absl::Duration kPause = absl::Milliseconds(100);

  // Takes over a socket that listens and does not block; `name` is what the log calls it. RESOURCE_EXHAUSTED: no
  // descriptors for it.
  static absl::StatusOr<std::unique_ptr<HandshakeSet>> Create(Fd listener, std::string name, const SocketTerms& terms,
                                                              const Limits& limits);

  // The next client whose handshake is done, without waiting; nullopt: there is none now. RESOURCE_EXHAUSTED: no
  // descriptor for the next client; told once a pause.
  absl::StatusOr<std::optional<AcceptedSocket>> TryTake();

  // Readable when `TryTake` has something to do.
  FdView fd() const { return fd_; }

 private:
  struct Pending {
    AcceptedSocket client;
    Deadline grace;     // Its place is its own until then.
    Deadline deadline;  // And it is dropped then.
  };

  HandshakeSet(Fd listener, EventSet events, std::string name, const SocketTerms& terms, const Limits& limits);

  absl::StatusOr<std::optional<AcceptedSocket>> TryTakeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The first of those who have something to say that is done.
  std::optional<AcceptedSocket> AdvancePending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The first new client that is done at once; the others become pending.
  absl::StatusOr<std::optional<AcceptedSocket>> AcceptNew() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<AcceptedSocket> AcceptOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddPending(AcceptedSocket client) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  AcceptedSocket Remove(std::map<uint64_t, Pending>::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropLate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether a new client may come in, if need be for the oldest.
  bool MakePlace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What `fd` waits for next.
  void Rearm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LogDropped(FdView socket, const absl::Status& why) const;

  const Fd listener_;
  const std::string name_;
  const SocketTerms terms_;
  const Limits limits_;

  Mutex mutex_;
  EventSet events_ ABSL_GUARDED_BY(mutex_);
  const FdView fd_;                                              // Of `events_`; never changes.
  std::map<uint64_t, Pending> pending_ ABSL_GUARDED_BY(mutex_);  // By age; the keys are those in `events_`.
  uint64_t next_key_ ABSL_GUARDED_BY(mutex_);
  Fd accepted_ ABSL_GUARDED_BY(mutex_);  // A client for whose process there was no descriptor.
  std::optional<Deadline> paused_until_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_HANDSHAKE_SET_H_
