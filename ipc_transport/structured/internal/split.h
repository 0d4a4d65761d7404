// Sends a message that is longer than the pipe's records as several.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SPLIT_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SPLIT_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Sends one record: its parts, and its descriptors.
using SendRecord = absl::FunctionRef<absl::Status(absl::Span<const Blob>, absl::Span<const FdView>)>;

// Sends the concatenation of `parts`, the message `id`, in fragments that `pipe` can carry, each by `send`;
// `descriptors` go with the last. When it fails, the peer drops what has arrived as soon as it sees another message.
// Errors of `send`.
absl::Status SendSplit(const Pipe& pipe, absl::Span<const Blob> parts, uint64_t id,
                       absl::Span<const FdView> descriptors, SendRecord send);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SPLIT_H_
