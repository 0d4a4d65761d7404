// How patiently a client connects again.

#ifndef SLUICE_IPC_SESSION_RECONNECT_OPTIONS_H_
#define SLUICE_IPC_SESSION_RECONNECT_OPTIONS_H_

#include "absl/status/status.h"
#include "absl/time/time.h"

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

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_RECONNECT_OPTIONS_H_
