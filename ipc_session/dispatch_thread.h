// A thread that drives a session, for programs that want one.

#ifndef SLUICE_IPC_SESSION_DISPATCH_THREAD_H_
#define SLUICE_IPC_SESSION_DISPATCH_THREAD_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/session.h"

namespace ipc {
inline namespace sluice_0 {

// Calls `Session::Dispatch` until the session ends or this is destroyed; so the session's handlers run in this thread.
// Move-only. The session's handle may be moved or destroyed meanwhile.
//
//   session->OnEnd(...);
//   absl::StatusOr<DispatchThread> thread = DispatchThread::Start(*session);
class DispatchThread {
 public:
  // RESOURCE_EXHAUSTED: no thread or descriptors for it (raise RLIMIT_NPROC, RLIMIT_NOFILE); the session goes on.
  static absl::StatusOr<DispatchThread> Start(Session& session);

  DispatchThread(DispatchThread&&) noexcept;
  DispatchThread& operator=(DispatchThread&&) noexcept;
  // Waits for the handler that runs, if any; none runs afterwards. In a handler itself it does not wait: that handler
  // is the last. In a forked child's copy it does nothing.
  ~DispatchThread();

  // OK while it drives; then why it does not: as `Session::status`, or an error of `Session::Dispatch`. Any thread.
  absl::Status status() const;

 private:
  class State;

  explicit DispatchThread(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_DISPATCH_THREAD_H_
