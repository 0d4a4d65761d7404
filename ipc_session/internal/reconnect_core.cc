#include "ipc_session/internal/reconnect_core.h"

#include <utility>

#include "ipc_session/internal/connect_retry.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

ReconnectCore::ReconnectCore(SessionOptions session, const ReconnectOptions& reconnect)
    : session_(std::move(session)),
      valid_(Validate(reconnect)),
      steady_after_(reconnect.steady_after),
      backoff_(reconnect.initial_delay, reconnect.maximum_delay) {
  session_.wait_for_server = false;  // The waiting is done here.
}

absl::Status ReconnectCore::Next(Deadline deadline, absl::FunctionRef<absl::Status(const SessionOptions&)> connect) {
  SLUICE_RETURN_IF_ERROR(valid_);
  if (connected_at_.has_value() && absl::Nanoseconds(NowNanos() - *connected_at_) >= steady_after_) backoff_.Reset();
  connected_at_.reset();
  if (!is_first_ && !backoff_.Pause(deadline)) {
    return absl::DeadlineExceededError("the deadline came before it was time to connect again");
  }
  is_first_ = false;
  session_.deadline = deadline;
  const absl::Status connected = RetryUntil(deadline, backoff_, MayPass, [&] { return connect(session_); });
  if (connected.ok()) connected_at_ = NowNanos();
  return connected;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
