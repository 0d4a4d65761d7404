// When a client that lost its session connects again; what connecting is, the caller says.

#ifndef SLUICE_IPC_SESSION_INTERNAL_RECONNECT_CORE_H_
#define SLUICE_IPC_SESSION_INTERNAL_RECONNECT_CORE_H_

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ipc_session/session_terms.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/backoff.h"

namespace ipc {
inline namespace sluice_0 {

// How a `Reconnector` waits between attempts.
struct ReconnectOptions {
  // An attempt waits a random time, of at most `initial_delay` at first, and twice as much after each failure, up to
  // `maximum_delay`.
  absl::Duration initial_delay = absl::Milliseconds(10);
  absl::Duration maximum_delay = absl::Seconds(1);
  // Whoever asks for the next session so long after he got the last starts at `initial_delay` again. Else sessions that
  // end at once count as failures.
  absl::Duration steady_after = absl::Seconds(10);
};

// INVALID_ARGUMENT, naming the field and its value.
absl::Status Validate(const ReconnectOptions& options);

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
