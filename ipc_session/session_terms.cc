#include "ipc_session/session_terms.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ipc_session/internal/limits.h"
#include "ipc_transport/internal/ring_layout.h"

namespace ipc {
inline namespace sluice_0 {

absl::Status Validate(const SessionOptions& options) {
  if (options.channels < 0 || options.channels > internal::kMaxChannels) {
    return absl::InvalidArgumentError(
        absl::StrCat("SessionOptions.channels is ", options.channels, "; give 0 to ", internal::kMaxChannels));
  }
  if (!internal::IsValidRingBytes(options.ring_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("SessionOptions.ring_bytes is ", options.ring_bytes,
                                                   "; give a power of two from ", internal::kMinRingBytes, " to ",
                                                   internal::kMaxRingBytes));
  }
  if (options.metadata.size() > internal::kMaxMetadataBytes) {
    return absl::InvalidArgumentError(absl::StrCat("SessionOptions.metadata has ", options.metadata.size(),
                                                   " bytes; at most ", internal::kMaxMetadataBytes, " travel"));
  }
  if (options.arena_bytes == 0 || options.arena_bytes > internal::kMaxArenaBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("SessionOptions.arena_bytes is ", options.arena_bytes, "; give 1 to ", internal::kMaxArenaBytes));
  }
  if (!options.run_folder.empty() &&
      (!absl::StartsWith(options.run_folder, "/") || absl::StrContains(options.run_folder, '\0'))) {
    return absl::InvalidArgumentError(
        absl::StrCat("SessionOptions.run_folder is \"", options.run_folder, "\"; give an absolute path, or none"));
  }
  return absl::OkStatus();
}

}  // namespace sluice_0
}  // namespace ipc
