// A session: the context between two live processes. Symmetric once it is open.

#ifndef SLUICE_IPC_SESSION_SESSION_H_
#define SLUICE_IPC_SESSION_SESSION_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/apps.h"
#include "ipc_session/session_terms.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {

class MessageStore;

namespace internal {
class SessionCore;
class SessionMemoryFactory;
}  // namespace internal

// Move-only handle of one side. Destroying it says goodbye and ends the session: its channels answer CANCELLED here
// and, once they are empty, UNAVAILABLE (kGoodbye) there. What was received from shared memory stays readable. Any
// thread.
class Session {
 public:
  // Logs in at `server`, as `client`.
  // UNAVAILABLE (kNoServer): nobody listens. PERMISSION_DENIED, with its Reason: refused by the server, or whoever
  // listens is not the server that the universe names. FAILED_PRECONDITION: versions or kinds of memory differ; both
  // are named. INVALID_ARGUMENT: bad universe or options. DEADLINE_EXCEEDED: not done in time.
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

  // OK while it lasts; then why it ended: UNAVAILABLE with kGoodbye, kExited, kKilled, kGone, ...
  absl::Status status() const;

  // Returns `status()` once the session has ended. DEADLINE_EXCEEDED: it still lasts.
  absl::Status WaitForEnd(Deadline deadline);

  // Where this session's typed messages put their large parts; null: on the heap.
  std::shared_ptr<MessageStore> message_store() const;

 protected:
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
