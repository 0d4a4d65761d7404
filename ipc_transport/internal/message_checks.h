// The checks and errors that all pipes share.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MESSAGE_CHECKS_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MESSAGE_CHECKS_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_transport/pipe.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

inline size_t TotalBytes(absl::Span<const Blob> parts) {
  size_t bytes = 0;
  for (const Blob& part : parts) bytes += part.size();
  return bytes;
}

// INVALID_ARGUMENT, with both figures, when a message exceeds a pipe's limits.
absl::Status MessageTooLarge(size_t bytes, size_t max_bytes, size_t descriptors, size_t max_descriptors);
inline absl::Status CheckMessageLimits(size_t bytes, size_t max_bytes, size_t descriptors, size_t max_descriptors) {
  if (ABSL_PREDICT_TRUE(bytes <= max_bytes && descriptors <= max_descriptors)) return absl::OkStatus();
  return MessageTooLarge(bytes, max_bytes, descriptors, max_descriptors);
}

// INVALID_ARGUMENT: more is committed than was reserved. FAILED_PRECONDITION: nothing was.
absl::Status CheckReservation(size_t bytes, std::optional<size_t> reserved_bytes);

// The first of `messages` that are within the limit. INVALID_ARGUMENT: the very first is not.
absl::StatusOr<absl::Span<const Blob>> WithinLimit(absl::Span<const Blob> messages, size_t max_bytes);

// Versions of a protocol that one side speaks.
struct VersionRange {
  uint16_t oldest;
  uint16_t newest;
};

// FAILED_PRECONDITION (kWrongVersion), with both ranges: the two sides have no version of "the `protocol`" in common.
absl::Status CheckCommonVersion(absl::string_view protocol, VersionRange own, VersionRange peer);

// INVALID_ARGUMENT: the next message does not fit into the user's buffer.
absl::Status BufferTooSmall(size_t message_bytes, size_t buffer_bytes);

absl::Status ClosedHere();     // CANCELLED
absl::Status FinishedHere();   // FAILED_PRECONDITION
absl::Status NothingPeeked();  // FAILED_PRECONDITION
absl::Status PeerFinished();   // OUT_OF_RANGE
absl::Status PeerClosed();     // UNAVAILABLE (kGoodbye)
absl::Status NothingCame();    // DEADLINE_EXCEEDED

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MESSAGE_CHECKS_H_
