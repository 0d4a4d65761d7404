#include "ipc_session/internal/channel_pipes.h"

#include "absl/status/status.h"
#include "ipc_transport/internal/hello.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_transport/mq_pipe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

absl::StatusOr<std::unique_ptr<Pipe>> Finished(SocketHandshake handshake, PidFd process, Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(handshake.Run(deadline));
  return SocketPipe::FromHandshake(std::move(handshake), std::move(process));
}

absl::StatusOr<std::unique_ptr<Pipe>> Finished(MqHandshake handshake, PidFd process, Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(MqParts parts, std::move(handshake).Receive(deadline, std::move(process)));
  return MqPipe::FromParts(std::move(parts));
}

}  // namespace

absl::StatusOr<PipeOpening> PipeOpening::Begin(PipeKind kind, const PipeSizes& sizes) {
  SLUICE_ASSIGN_OR_RETURN(auto sockets, MakePairOfSockets());
  if (kind == PipeKind::kSocket) {
    SLUICE_ASSIGN_OR_RETURN(SocketHandshake handshake,
                            SocketPipe::BeginHandshake(std::move(sockets.first), sizes.socket));
    SLUICE_RETURN_IF_ERROR(handshake.Advance().status());
    return PipeOpening(std::move(handshake), std::move(sockets.second));
  }
  SLUICE_ASSIGN_OR_RETURN(MqHandshake handshake, MqPipe::BeginHandshake(std::move(sockets.first), sizes.mq));
  SLUICE_RETURN_IF_ERROR(handshake.Send(Deadline::Passed()));
  return PipeOpening(std::move(handshake), std::move(sockets.second));
}

absl::StatusOr<std::unique_ptr<Pipe>> PipeOpening::Finish(PidFd process, Deadline deadline) && {
  return std::visit([&](auto& handshake) { return Finished(std::move(handshake), std::move(process), deadline); },
                    handshake_);
}

absl::StatusOr<std::unique_ptr<Pipe>> PipeFromOffer(PipeKind kind, const PipeSizes& sizes, Fd socket, PidFd process,
                                                    Deadline deadline) {
  if (!CheckCompanion(socket).ok()) {
    return absl::DataLossError("the peer opened a channel with a descriptor that is no SEQPACKET socket");
  }
  if (kind == PipeKind::kSocket) {
    SLUICE_ASSIGN_OR_RETURN(SocketHandshake handshake, SocketPipe::BeginHandshake(std::move(socket), sizes.socket));
    return Finished(std::move(handshake), std::move(process), deadline);
  }
  SLUICE_ASSIGN_OR_RETURN(MqHandshake handshake, MqPipe::BeginHandshake(std::move(socket), sizes.mq));
  SLUICE_RETURN_IF_ERROR(handshake.Send(deadline));
  return Finished(std::move(handshake), std::move(process), deadline);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
