#include "ipc_transport/internal/message_checks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::Status MessageTooLarge(size_t bytes, size_t max_bytes, size_t descriptors, size_t max_descriptors) {
  if (bytes > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a message of ", bytes, " bytes exceeds the pipe's limit of ", max_bytes, " bytes"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("a message with ", descriptors, " descriptors exceeds the limit of ", max_descriptors));
}

absl::Status CheckReservation(size_t bytes, std::optional<size_t> reserved_bytes) {
  if (!reserved_bytes.has_value()) {
    return absl::FailedPreconditionError("nothing is reserved to be committed; another send or reserve gave it up");
  }
  if (bytes <= *reserved_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a commit of ", bytes, " bytes exceeds the ", *reserved_bytes, " that were reserved"));
}

absl::StatusOr<absl::Span<const Blob>> WithinLimit(absl::Span<const Blob> messages, size_t max_bytes) {
  const auto fits = [&](const Blob& message) { return message.size() <= max_bytes; };
  const size_t fitting = std::find_if_not(messages.begin(), messages.end(), fits) - messages.begin();
  if (fitting == 0 && !messages.empty()) return MessageTooLarge(messages[0].size(), max_bytes, 0, 0);
  return messages.subspan(0, fitting);
}

absl::Status CheckCommonVersion(absl::string_view protocol, VersionRange own, VersionRange peer) {
  if (peer.oldest <= own.newest && peer.newest >= own.oldest) return absl::OkStatus();
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat("no common version of the ", protocol, ": here ", own.oldest, " to ",
                                                 own.newest, ", the peer ", peer.oldest, " to ", peer.newest)),
      Reason::kWrongVersion);
}

absl::Status BufferTooSmall(size_t message_bytes, size_t buffer_bytes) {
  return absl::InvalidArgumentError(absl::StrCat("the next message has ", message_bytes, " bytes, the buffer only ",
                                                 buffer_bytes, "; give a larger one"));
}

absl::Status ClosedHere() { return absl::CancelledError("the pipe was closed on this side"); }

absl::Status FinishedHere() { return absl::FailedPreconditionError("this side has finished sending"); }

absl::Status NothingPeeked() { return absl::FailedPreconditionError("no message is peeked at that could be released"); }

absl::Status PeerFinished() { return absl::OutOfRangeError("the peer has finished sending"); }

absl::Status PeerClosed() {
  return WithReason(absl::UnavailableError("the peer has closed the pipe"), Reason::kGoodbye);
}

absl::Status NothingCame() { return absl::DeadlineExceededError("nothing came from the peer in time"); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
