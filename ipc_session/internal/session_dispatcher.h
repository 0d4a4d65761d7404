// Runs the handlers of a session and of the channels that it drives, where the user says.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SESSION_DISPATCHER_H_
#define SLUICE_IPC_SESSION_INTERNAL_SESSION_DISPATCHER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/internal/session_channels.h"
#include "ipc_transport/internal/driven.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/link_events.h"
#include "ipc_transport/internal/loop_event.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/fork_guard.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Any thread registers; one at a time dispatches. Handlers run without a lock, and may do all but dispatch.
class SessionDispatcher {
 public:
  using OfferHandler = absl::AnyInvocable<void(SessionChannels::Offer)>;
  using EndHandler = absl::AnyInvocable<void(const absl::Status&)>;
  using ReadyHandler = absl::AnyInvocable<bool()>;

  SessionDispatcher(std::shared_ptr<Link> link, std::shared_ptr<SessionChannels> channels);

  void OnOffer(OfferHandler handler);
  void OnEnd(EndHandler handler);
  // Until `handler` returns false or `pipe` is destroyed.
  void OnReady(std::weak_ptr<Pipe> pipe, ReadyHandler handler);
  void Drive(std::weak_ptr<Driven> driven);

  // As `Session::TryDispatch`, `Dispatch` and `wait_fd`.
  absl::StatusOr<bool> TryDispatch();
  absl::Status Dispatch(Deadline deadline) { return DispatchUnless(never_, deadline); }
  absl::StatusOr<FdView> WaitFd();

  // The same, but returns OK once `stop` is set and `Wake` was called; `stop` is stored with release.
  absl::Status DispatchUnless(const std::atomic<bool>& stop, Deadline deadline);
  void Wake() { link_->Interrupt(); }

 private:
  struct Entry {
    std::weak_ptr<Driven> driven;
    std::shared_ptr<Driven> owned;  // Of `OnReady`.
    bool is_watched = false;        // The descriptor tells of it.
  };

  void Add(Entry entry) ABSL_LOCKS_EXCLUDED(mutex_);
  // Before it prepares to sleep it spins until then, if that has paid lately.
  absl::StatusOr<bool> DispatchOnce(Deadline spin_until);
  // Runs what is there to run, of each channel one handler. True: something ran.
  bool RunRound(bool before_sleep);
  bool RunOffers();
  // Nothing was there to run. False: still not, and the descriptor tells of what comes. An error: the end, which was
  // told.
  absl::StatusOr<bool> PrepareSleep();
  // Runs the handler of the end, once.
  bool TellEnd(const absl::Status& end);
  // The descriptor tells of all that was registered since.
  absl::Status WatchAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Looks up what there is to drive now; forgets what is gone.
  void Refresh();
  void Forget(const Driven& driven);
  Deadline NextTimer();

  const std::atomic<bool> never_{false};
  const ForkGuard fork_guard_;
  const std::shared_ptr<Link> link_;
  const std::shared_ptr<SessionChannels> channels_;

  // Acquire and release: what the dispatcher before did is seen.
  std::atomic<bool> is_dispatching_{false};
  // Grows with each registration; relaxed, as what it tells of is read under the lock.
  std::atomic<uint64_t> registrations_{1};

  // The dispatching thread's.
  Spinner spinner_;
  bool is_quiet_ = false;                        // The descriptor tells of what comes from now on only.
  uint64_t seen_ticket_ = ~uint64_t{0};          // Of the link, when offers were last looked for.
  uint64_t seen_registrations_ = 0;              // When `driven_` was looked up.
  std::vector<std::shared_ptr<Driven>> driven_;  // During a call.

  Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<OfferHandler> on_offer_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<EndHandler> on_end_ ABSL_GUARDED_BY(mutex_);
  // Made by the first call that needs them.
  std::unique_ptr<LinkEvents> link_events_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<LoopEvent> loop_event_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SESSION_DISPATCHER_H_
