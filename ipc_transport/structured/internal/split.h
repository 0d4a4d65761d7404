// Sends a message that is longer than the pipe's records as several.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SPLIT_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SPLIT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Sends the concatenation of `parts`, the message `id`, in fragments; `descriptors` go with the last. When it fails,
// the peer drops what has arrived as soon as it sees another message. Errors of `Pipe::SendParts`.
absl::Status SendSplit(Pipe& pipe, absl::Span<const Blob> parts, uint64_t id, absl::Span<const FdView> descriptors,
                       Deadline deadline);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SPLIT_H_
