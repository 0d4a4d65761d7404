// The companion socket of two outboxes: doorbells, descriptors, a session's own packets, goodbye, the notice of death.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_LINK_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_LINK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/keep_alive.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/fork_guard.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One per session, shared by its ring pipes; a ring pipe outside a session has its own. Any thread.
//
// A sleeper must not lose its wake-up to another sleeper that reads the socket, hence the order: take a `Ticket`, store
// the sleep word, look at the ring once more, `Wait(ticket)`. A doorbell for this sleep is sent after the store, so it
// is read after the ticket was taken, and the ticket is out of date by then.
class Link {
 public:
  // The largest control packet.
  static constexpr size_t kMaxControlBytes = 4096 + 256;

  // Whether the peer may send control packets: those of a session.
  enum class Controls { kNone, kAllowed };

  // What a link to a session's peer has beyond others.
  struct Options {
    Controls controls = Controls::kNone;
    // This side says that it is alive when it has said nothing for so long; zero: it need not.
    absl::Duration keep_alive_period = absl::ZeroDuration();
    // Silence of the peer for so long ends the link; zero: it does not.
    absl::Duration idle_timeout = absl::ZeroDuration();
  };

  // Takes a connected SEQPACKET socket over. `peer` may be empty: then only the end of the socket tells.
  // RESOURCE_EXHAUSTED: no descriptor for it (raise RLIMIT_NOFILE).
  static absl::StatusOr<std::shared_ptr<Link>> Create(Fd socket, PidFd peer, const Options& options);
  static absl::StatusOr<std::shared_ptr<Link>> Create(Fd socket, PidFd peer);
  ~Link();

  // Wakes the peer's sleepers. Never waits; a full socket has a wake-up in it already.
  void RingDoorbell();

  // Sends what record `record` of `channel` is about to announce. Never waits; false: no room now.
  absl::StatusOr<bool> SendDescriptors(uint32_t channel, uint64_t record, absl::Span<const FdView> descriptors);

  // The `count` descriptors that record `record` of `channel` announces; they came before it. Never waits. DATA_LOSS:
  // they did not, and the link has ended. RESOURCE_EXHAUSTED, CANCELLED: the link had ended so before.
  absl::StatusOr<std::vector<Fd>> TakeDescriptors(uint32_t channel, uint64_t record, size_t count);

  // Sends one control packet: 1 to `kMaxControlBytes` bytes, which mean nothing to the link. Never waits; false: no
  // room now. The peer takes them in their order.
  absl::StatusOr<bool> SendControl(Blob bytes, absl::Span<const FdView> descriptors = {});

  // The oldest control packet that was read and not taken; nullopt: none. Reads nothing.
  struct Control {
    std::vector<std::byte> bytes;
    std::vector<Fd> descriptors;
    // RESOURCE_EXHAUSTED: this process had no room for its descriptors, which are closed.
    absl::Status lost_descriptors = absl::OkStatus();
  };
  std::optional<Control> TakeControl();

  // Closes what came for `channel` and was not taken.
  void DropDescriptors(uint32_t channel);

  // Changes whenever something came in or the link ended.
  uint64_t Ticket() const { return generation_.load(std::memory_order_acquire); }  // Pairs with `Advance`.

  // Returns OK once `Ticket() != ticket`. One caller sleeps in ppoll on the socket and the peer's pidfd, the others
  // behind it. DEADLINE_EXCEEDED: nothing happened.
  absl::Status Wait(uint64_t ticket, Deadline deadline);

  // Reads what is there; notices a peer that has gone. Waits for nothing, save that a peer that goes without a goodbye
  // takes up to 10 ms, once: for how its process ended.
  void Pump();

  // Whether keep-alive is on, either way. Then whoever passes messages beside the link tells of each, `Passed`, so that
  // a stream that never waits is no silence; and an event loop looks at the link again at `NextTimer`.
  bool keeps_alive() const { return keeps_alive_; }
  void Passed(bool from_peer);
  Deadline NextTimer() const { return ended() ? Deadline::Never() : keep_alive_.Next(); }

  // True once the link has ended on either side; `end_status` is set by then.
  bool ended() const { return ended_.load(std::memory_order_acquire); }  // Pairs with `EndLocked`.

  // OK until the end; then FAILED_PRECONDITION in a forked child, CANCELLED (ended here), UNAVAILABLE, DATA_LOSS or
  // RESOURCE_EXHAUSTED. UNAVAILABLE has its Reason: kGoodbye; kExited or kKilled where the kernel tells how the peer's
  // process ended; kSilent; else kGone.
  absl::Status end_status() const;

  // Ends the link on this side with `status`, says goodbye and wakes all waiters. Only the first end counts. Never
  // waits.
  void End(const absl::Status& status);

  // Makes every `Wait` on this side return. Never waits.
  void Interrupt();

  // Adds 1 to `event`, an eventfd, whenever something came in or the link ended, until it is removed.
  void AddListener(FdView event);
  void RemoveListener(FdView event);

  FdView socket() const { return socket_; }
  FdView peer_fd() const { return peer_->fd(); }
  // Never null; may be empty.
  const std::shared_ptr<const PidFd>& peer_process() const { return peer_; }

 private:
  struct DescriptorBatch {
    uint32_t channel;
    uint64_t record;
    std::vector<Fd> descriptors;
  };

  Link(Fd socket, PidFd peer, Fd interrupt, const Options& options);

  void PumpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Says that this side is alive, and notices a peer that is not, if it is time for that.
  void RunTimersLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Reads one packet; false: there is none.
  bool ReadPacketLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandlePacketLocked(absl::Span<const std::byte> packet, std::vector<Fd> descriptors,
                                  absl::Status lost_descriptors) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why the link ends with a peer that said no goodbye; may take its time.
  // Lets go of the lock meanwhile.
  void EndByPeerLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ForkGuard fork_guard_;  // In a forked child nothing is sent, ended or locked.
  const Fd socket_;
  const std::shared_ptr<const PidFd> peer_;
  const Controls controls_allowed_;
  const bool keeps_alive_;
  KeepAlive keep_alive_;
  const Fd interrupt_;  // An eventfd: readable once somebody here wants the thread in ppoll back.

  // Release in `Advance`, acquire in `Ticket`.
  std::atomic<uint64_t> generation_{0};
  // Release in `EndLocked`, acquire in `ended`.
  std::atomic<bool> ended_{false};

  mutable Mutex mutex_;
  CondVar advanced_;
  bool polling_ ABSL_GUARDED_BY(mutex_) = false;  // A thread is in ppoll.
  absl::Status end_status_ ABSL_GUARDED_BY(mutex_);
  std::deque<DescriptorBatch> batches_ ABSL_GUARDED_BY(mutex_);  // They wait for the records that announce them.
  size_t waiting_descriptors_ ABSL_GUARDED_BY(mutex_) = 0;       // In all of them.
  std::deque<Control> controls_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_control_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<FdView> listeners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_LINK_H_
