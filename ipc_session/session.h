// A session: the context between two live processes. Symmetric once it is open.

#ifndef SLUICE_IPC_SESSION_SESSION_H_
#define SLUICE_IPC_SESSION_SESSION_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/apps.h"
#include "ipc_session/channel_offer.h"
#include "ipc_session/channel_options.h"
#include "ipc_session/session_terms.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {

class MessageStore;

namespace internal {
class Driven;
class SessionCore;
class SessionMemoryFactory;
}  // namespace internal

// Move-only handle of one side. Destroying it says goodbye and ends the session: its channels answer CANCELLED here
// and, once they are empty, UNAVAILABLE (kGoodbye) there. It never waits, though the peer may be stopped. What was
// received from shared memory stays readable. Any thread; in a forked child's copy all calls fail, and harm nothing.
class Session {
 public:
  // Logs in at `server`, as `client`.
  // UNAVAILABLE (kNoServer): nobody listens. PERMISSION_DENIED, with its Reason: refused by the server, or whoever
  // listens is not the server that the universe names. FAILED_PRECONDITION: versions, kinds of memory or limits do not
  // fit each other; both sides' are named. RESOURCE_EXHAUSTED: a limit of this process; with kLimit, the server has as
  // many sessions as it may. INVALID_ARGUMENT: bad universe or options. DEADLINE_EXCEEDED: not done in time, with the
  // Reason of what stood in the way last: a server that is busy with logins, or is not there and waited for, is tried
  // again until then.
  static absl::StatusOr<Session> Connect(const App& client, const ServerApp& server,
                                         const SessionOptions& options = {});

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  // How many channels the session opened with; the same on both sides.
  int channel_count() const;

  // Channel `index`, once; an invalid one when it is out of range or taken. It may outlive the handle.
  Channel TakeChannel(int index);

  const SessionPeer& peer() const;
  const std::string& peer_metadata() const;

  // Channels later, from either side, at any time. Openings that cross are no conflict; but a peer that waits in its
  // own `OpenChannel` answers no offers, so two programs with one thread each `StartChannel`, answer offers, then wait.

  // A channel like `options`, once the peer has accepted it. Errors as of `OpeningChannel::Wait`; also
  // INVALID_ARGUMENT: bad options; RESOURCE_EXHAUSTED: this side has as many channels as it may, or no room for its
  // half; the text says what to raise. DEADLINE_EXCEEDED: the peer has not answered; it is withdrawn.
  absl::StatusOr<Channel> OpenChannel(const ChannelOptions& options = {}, Deadline deadline = Deadline::Default());
  // The same without waiting for the answer.
  absl::StatusOr<OpeningChannel> StartChannel(const ChannelOptions& options = {});

  // The next channel that the peer wants to open. DEADLINE_EXCEEDED: none. UNAVAILABLE, CANCELLED: as `status`.
  absl::StatusOr<ChannelOffer> NextOffer(Deadline deadline = Deadline::Default());

  // Driving. Handlers run in `Dispatch` and `TryDispatch` alone, in the thread that calls them; the library has no
  // thread. A handler may call everything but those two, and may destroy what it likes, the session included.

  // Runs with each offer; then `NextOffer` sees none.
  void OnOffer(absl::AnyInvocable<void(ChannelOffer)> handler);

  // Runs once, when the session has ended and the channels' handlers were told; `end` as of `status`.
  void OnEnd(absl::AnyInvocable<void(const absl::Status& end)> handler);

  // Runs whenever `channel`, one of this session, may have a message, or has ended; until `handler` returns false or
  // the channel is destroyed. The handler receives with Try calls; whoever dispatches is the receiving thread.
  void OnReady(const Channel& channel, absl::AnyInvocable<bool()> handler);

  // For structured channels, which their Upgrade lets the session drive: their handlers and callbacks run here too.
  void Drive(const std::shared_ptr<internal::Driven>& channel);

  // Waits for something to run, and runs it. One thread at a time.
  // DEADLINE_EXCEEDED: nothing came. The error of `status`: the session has ended, and everything was told.
  // FAILED_PRECONDITION: another thread, or this one, is in it already; or this is a forked child's copy.
  absl::Status Dispatch(Deadline deadline = Deadline::Default());

  // Never waits. False: there was nothing to run. Other errors as `Dispatch`.
  absl::StatusOr<bool> TryDispatch();

  // For an event loop: one descriptor for the session and all that it drives, readable when `TryDispatch` is worth a
  // call, and at least until one returns false. Valid as long as the session.
  // RESOURCE_EXHAUSTED: no descriptors for it (raise RLIMIT_NOFILE).
  absl::StatusOr<FdView> wait_fd();

  // OK while it lasts; then why it ended: UNAVAILABLE with kGoodbye, kExited, kKilled, kGone, ...
  absl::Status status() const;

  // Returns `status()` once the session has ended. DEADLINE_EXCEEDED: it still lasts.
  absl::Status WaitForEnd(Deadline deadline);

  // Where this session's typed messages put their large parts; null: on the heap.
  std::shared_ptr<MessageStore> message_store() const;

 protected:
  friend class DispatchThread;
  friend class Server;
  explicit Session(std::shared_ptr<internal::SessionCore> core);
  // As the public one, with memory beside the heap.
  static absl::StatusOr<Session> Connect(const App& client, const ServerApp& server, const SessionOptions& options,
                                         const internal::SessionMemoryFactory& memory);

 private:
  std::shared_ptr<internal::SessionCore> core_;
};

namespace session::heap {
using Session = ::ipc::Session;
using ClientSession = Session;
}  // namespace session::heap

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_SESSION_H_
