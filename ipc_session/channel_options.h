// What a channel that is opened later should be like.

#ifndef SLUICE_IPC_SESSION_CHANNEL_OPTIONS_H_
#define SLUICE_IPC_SESSION_CHANNEL_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ipc_transport/mq_pipe.h"
#include "ipc_transport/socket_pipe.h"

namespace ipc {
inline namespace sluice_0 {

// What carries a channel. Ring channels share the descriptors of their session, however many there are; a socket
// channel takes two more in each process, and a queue channel five.
enum class PipeKind : uint8_t { kRing = 0, kSocket = 1, kMq = 2 };

// "ring", "socket" or "mq".
absl::string_view Name(PipeKind kind);

// The sizes of one side; those of the channel's kind count.
struct PipeSizes {
  // Bytes of this side's ring, see RingPipeOptions. 0: on the side that opens the channel SessionOptions::ring_bytes,
  // on the one that accepts it as many as the other's.
  size_t ring_bytes = 0;
  SocketPipeOptions socket = {};
  MqPipeOptions mq = {};
};

struct ChannelOptions {
  PipeKind pipe = PipeKind::kRing;
  // For whoever accepts it; at most 4 KiB.
  std::string metadata = {};
  PipeSizes sizes = {};
};

// INVALID_ARGUMENT, naming the field and its value.
absl::Status Validate(const PipeSizes& sizes);
absl::Status Validate(const ChannelOptions& options);

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_CHANNEL_OPTIONS_H_
