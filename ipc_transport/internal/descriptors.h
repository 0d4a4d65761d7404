// Sending and receiving packets with descriptors over a Unix socket: the one place that knows control messages.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_DESCRIPTORS_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_DESCRIPTORS_H_

#include <sys/uio.h>

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The most descriptors that a message carries; checked before the kernel's own limit of 253.
inline constexpr size_t kMaxDescriptors = 16;

// Sends `parts` as one packet, never waiting and never raising SIGPIPE. False: no room now (a full socket, or too many
// descriptors in flight). INVALID_ARGUMENT: more than 253 descriptors, one that is not open, a socket that is not
// connected, or a packet larger than the socket takes.
absl::StatusOr<bool> SendPacket(FdView socket, absl::Span<const Blob> parts, absl::Span<const FdView> descriptors);

// When to try again after too many descriptors in flight: the kernel counts those of all processes of a user, and no
// event tells when there are fewer.
inline constexpr absl::Duration kInFlightTick = absl::Milliseconds(1);

// As `SendPacket`, tried again with each tick. False: no room until `deadline`.
absl::StatusOr<bool> SendPacketBy(FdView socket, absl::Span<const Blob> parts, absl::Span<const FdView> descriptors,
                                  Deadline deadline);

struct ReceivedPacket {
  enum class Kind { kNone, kPacket, kEnd };  // Nothing there now; a packet; the peer's end is closed.
  Kind kind = Kind::kNone;
  size_t bytes = 0;
};

// Receives one packet into `parts`, never waiting; appends its descriptors, close-on-exec, to `*descriptors`.
// DATA_LOSS: it was longer than `parts`. RESOURCE_EXHAUSTED: this process had no room for all descriptors; all of them
// are closed. With `lost_descriptors` that goes there instead, and the packet comes without them.
absl::StatusOr<ReceivedPacket> ReceivePacket(FdView socket, absl::Span<iovec> parts, std::vector<Fd>* descriptors,
                                             absl::Status* lost_descriptors = nullptr);

// As `SendPacket`, over a stream: returns how many of the bytes went; the descriptors went with the first of them.
absl::StatusOr<size_t> SendSome(FdView socket, absl::Span<const iovec> parts, absl::Span<const FdView> descriptors);

// The most packets that one call of these moves.
inline constexpr size_t kMaxBatch = 64;

// Sends each of `packets` as one, without descriptors, in one system call. Returns how many went; fewer than all and
// `kMaxBatch`: no room now for the next. Errors as `SendPacket`, of the first packet.
absl::StatusOr<size_t> SendPackets(FdView socket, absl::Span<const absl::Span<iovec>> packets);

// Where a packet goes, and what came.
struct PacketSlot {
  absl::Span<iovec> parts;
  ReceivedPacket packet = {};
  absl::Status status = {};  // As `ReceivePacket` returns it.
  std::vector<Fd> descriptors = {};
};

// Receives up to `kMaxBatch` packets, one in each of `slots`, in one system call; returns how many slots it filled.
// DATA_LOSS, of a slot: also a packet with more than `kMaxDescriptors` descriptors.
absl::StatusOr<size_t> ReceivePackets(FdView socket, absl::Span<PacketSlot> slots);

// As `ReceivePacket`, over a stream: some bytes, into `slot`; its `status` tells of the descriptors that came with
// them, as in a batch. Errors: nothing was received.
absl::Status ReceiveSome(FdView socket, PacketSlot& slot);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_DESCRIPTORS_H_
