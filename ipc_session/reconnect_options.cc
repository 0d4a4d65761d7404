#include "ipc_session/reconnect_options.h"

#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {

absl::Status Validate(const ReconnectOptions& options) {
  if (options.initial_delay <= absl::ZeroDuration() || options.initial_delay > options.maximum_delay) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ReconnectOptions.initial_delay is ", absl::FormatDuration(options.initial_delay),
        "; give a time above zero, up to maximum_delay (", absl::FormatDuration(options.maximum_delay), ")"));
  }
  if (options.maximum_delay > absl::Hours(1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ReconnectOptions.maximum_delay is ", absl::FormatDuration(options.maximum_delay), "; give an hour at most"));
  }
  if (options.steady_after < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("ReconnectOptions.steady_after is ",
                                                   absl::FormatDuration(options.steady_after), "; give zero or more"));
  }
  return absl::OkStatus();
}

}  // namespace sluice_0
}  // namespace ipc
