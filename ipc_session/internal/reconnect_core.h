// When a client that lost its session connects again; what connecting is, the caller says.

#ifndef SLUICE_IPC_SESSION_INTERNAL_RECONNECT_CORE_H_
#define SLUICE_IPC_SESSION_INTERNAL_RECONNECT_CORE_H_

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ipc_session/reconnect_options.h"
#include "ipc_session/session_terms.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/backoff.h"

namespace ipc {
inline namespace sluice_0 {

namespace internal {

// One thread at a time.
class ReconnectCore {
 public:
  // Invalid options are the error of each `Next`.
  ReconnectCore(SessionOptions session, const ReconnectOptions& reconnect);

  // Errors as of `Reconnector::Next`. `connect` opens a session in one attempt.
  absl::Status Next(Deadline deadline, absl::FunctionRef<absl::Status(const SessionOptions&)> connect);

 private:
  SessionOptions session_;
  const absl::Status valid_;
  const absl::Duration steady_after_;
  Backoff backoff_;
  bool is_first_ = true;
  std::optional<int64_t> connected_at_;  // Nanoseconds; while the last `Next` brought a session.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_RECONNECT_CORE_H_
