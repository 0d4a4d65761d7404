// What a session's Dispatch drives: a channel with handlers of its own.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_DRIVEN_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_DRIVEN_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

class Driven {
 public:
  virtual ~Driven() = default;

  // A session drives it from now on. `wake`, called by any thread, makes the session call `DispatchOne` again.
  virtual void DriveBy(absl::AnyInvocable<void()> wake) = 0;

  // Runs one handler, if there is one to run; never waits. With `before_sleep` it returns false only when what comes
  // next makes the session call it again: it wakes the session, or its pipe's `ArmReceiving` has returned false.
  // An error: it is over.
  virtual absl::StatusOr<bool> DispatchOne(bool before_sleep) = 0;

  // When to call `DispatchOne` at the latest, though nothing came.
  virtual Deadline NextTimer() = 0;

  // Null: it has none any more.
  virtual std::shared_ptr<Pipe> pipe() = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_DRIVEN_H_
