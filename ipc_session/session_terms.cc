#include "ipc_session/session_terms.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ipc_session/internal/limits.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {

namespace {

absl::Status ValidateOutbox(const SessionOptions& options) {
  const auto channels = static_cast<uint64_t>(options.channels);
  const auto layout = internal::OutboxLayout::For(options.outbox_bytes, options.ring_bytes, channels);
  if (options.outbox_bytes <= Region::kMaxBytes && layout.bytes <= Region::kMaxBytes &&
      layout.bytes >= layout.lanes_offset && layout.capacity() >= channels) {
    return absl::OkStatus();
  }
  const auto needed = layout.lanes_offset + channels * internal::LaneBytes(options.ring_bytes);
  return absl::InvalidArgumentError(absl::StrCat("SessionOptions.outbox_bytes is ", options.outbox_bytes, "; ",
                                                 channels, " channels of ", options.ring_bytes, " ring_bytes need ",
                                                 needed, ", and ", Region::kMaxBytes, " is the most"));
}

absl::Status ValidatePeriod(absl::string_view name, absl::Duration period) {
  if (period == absl::ZeroDuration() || (period >= absl::Milliseconds(1) && period <= absl::Hours(24))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("SessionOptions.", name, " is ", absl::FormatDuration(period), "; give 1 ms to 24 h, or zero"));
}

}  // namespace

absl::Status Validate(const SessionOptions& options) {
  if (options.max_channels < 0 || options.max_channels > internal::kMaxChannels) {
    return absl::InvalidArgumentError(
        absl::StrCat("SessionOptions.max_channels is ", options.max_channels, "; give 0 to ", internal::kMaxChannels));
  }
  if (options.channels < 0 || options.channels > options.max_channels) {
    return absl::InvalidArgumentError(absl::StrCat("SessionOptions.channels is ", options.channels,
                                                   "; give 0 to max_channels, which is ", options.max_channels));
  }
  if (!internal::IsValidRingBytes(options.ring_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("SessionOptions.ring_bytes is ", options.ring_bytes,
                                                   "; give a power of two from ", internal::kMinRingBytes, " to ",
                                                   internal::kMaxRingBytes));
  }
  SLUICE_RETURN_IF_ERROR(ValidateOutbox(options));
  SLUICE_RETURN_IF_ERROR(ValidatePeriod("keep_alive_period", options.keep_alive_period));
  SLUICE_RETURN_IF_ERROR(ValidatePeriod("idle_timeout", options.idle_timeout));
  if (options.metadata.size() > internal::kMaxMetadataBytes) {
    return absl::InvalidArgumentError(absl::StrCat("SessionOptions.metadata has ", options.metadata.size(),
                                                   " bytes; at most ", internal::kMaxMetadataBytes, " travel"));
  }
  if (options.arena_bytes == 0 || options.arena_bytes > internal::kMaxArenaBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("SessionOptions.arena_bytes is ", options.arena_bytes, "; give 1 to ", internal::kMaxArenaBytes));
  }
  if (options.arena_pages > ArenaPages::kHuge) {
    return absl::InvalidArgumentError(absl::StrCat("SessionOptions.arena_pages is ",
                                                   static_cast<int>(options.arena_pages), "; give one of ArenaPages"));
  }
  if (options.arena_decay < absl::ZeroDuration() ||
      (options.arena_decay > absl::Hours(24) && options.arena_decay != absl::InfiniteDuration())) {
    return absl::InvalidArgumentError(absl::StrCat("SessionOptions.arena_decay is ",
                                                   absl::FormatDuration(options.arena_decay),
                                                   "; give zero to 24 h, or absl::InfiniteDuration()"));
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
