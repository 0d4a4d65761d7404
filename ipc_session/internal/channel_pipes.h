// How socket and queue channels of a session come about: one end of a fresh pair of sockets travels to the peer, and
// both sides shake hands over it without waiting for each other.

#ifndef SLUICE_IPC_SESSION_INTERNAL_CHANNEL_PIPES_H_
#define SLUICE_IPC_SESSION_INTERNAL_CHANNEL_PIPES_H_

#include <memory>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "ipc_session/channel_options.h"
#include "ipc_transport/internal/mq_handshake.h"
#include "ipc_transport/internal/socket_handshake.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The opener's half, begun before the peer knows of the channel. Move-only.
class PipeOpening {
 public:
  // `kind` is kSocket or kMq, `sizes` are valid. RESOURCE_EXHAUSTED: no descriptors, or a limit on message queues.
  static absl::StatusOr<PipeOpening> Begin(PipeKind kind, const PipeSizes& sizes);

  // What travels to the peer, once.
  Fd TakeForPeer() { return std::move(for_peer_); }

  // Once the peer has accepted: its half is there. The pipe watches `process`. Errors as of the kind's `FromSocket`.
  absl::StatusOr<std::unique_ptr<Pipe>> Finish(PidFd process, Deadline deadline) &&;

 private:
  using Handshake = std::variant<SocketHandshake, MqHandshake>;

  PipeOpening(Handshake handshake, Fd for_peer) : handshake_(std::move(handshake)), for_peer_(std::move(for_peer)) {}

  Handshake handshake_;
  Fd for_peer_;
};

// The acceptor's half, over the descriptor that came; the opener's is there. Errors as of the kind's `FromSocket`.
absl::StatusOr<std::unique_ptr<Pipe>> PipeFromOffer(PipeKind kind, const PipeSizes& sizes, Fd socket, PidFd process,
                                                    Deadline deadline);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_CHANNEL_PIPES_H_
