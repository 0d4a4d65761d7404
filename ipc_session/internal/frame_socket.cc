#include "ipc_session/internal/frame_socket.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <utility>

#include "ipc_session/internal/frame_header.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

absl::Status PeerGone() { return WithReason(absl::UnavailableError("the peer went during the login"), Reason::kGone); }

// Whether `packet` was sent by `deadline`.
absl::StatusOr<bool> SendBy(FdView socket, absl::string_view packet, absl::Span<const FdView> descriptors,
                            Deadline deadline) {
  const Blob part(reinterpret_cast<const std::byte*>(packet.data()), packet.size());
  absl::StatusOr<bool> sent = SendPacketBy(socket, absl::MakeConstSpan(&part, 1), descriptors, deadline);
  if (absl::IsUnavailable(sent.status())) return PeerGone();
  return sent;
}

}  // namespace

absl::StatusOr<bool> TrySendFrame(FdView socket, absl::string_view packet, absl::Span<const FdView> descriptors) {
  return SendBy(socket, packet, descriptors, Deadline::Passed());
}

absl::Status SendFrame(FdView socket, absl::string_view packet, absl::Span<const FdView> descriptors,
                       Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(const bool sent, SendBy(socket, packet, descriptors, deadline));
  if (sent) return absl::OkStatus();
  return absl::ResourceExhaustedError("no room to send a login's frame; raise RLIMIT_NOFILE (ulimit -n)");
}

absl::StatusOr<std::optional<ReceivedFrame>> TryReceiveFrame(FdView socket) {
  std::array<std::byte, kMaxFrameBytes> buffer;
  iovec part = {.iov_base = buffer.data(), .iov_len = buffer.size()};
  ReceivedFrame frame;
  SLUICE_ASSIGN_OR_RETURN(const ReceivedPacket received,
                          ReceivePacket(socket, absl::MakeSpan(&part, 1), &frame.descriptors));
  switch (received.kind) {
    case ReceivedPacket::Kind::kNone:
      return std::nullopt;
    case ReceivedPacket::Kind::kEnd:
      return PeerGone();
    case ReceivedPacket::Kind::kPacket:
      break;
  }
  frame.packet.assign(buffer.begin(), buffer.begin() + received.bytes);
  return frame;
}

absl::StatusOr<ReceivedFrame> ReceiveFrame(FdView socket, const PidFd& process, Deadline deadline) {
  while (true) {
    const bool ended = process.HasEnded();  // Before the look: what it sent before it ended counts.
    SLUICE_ASSIGN_OR_RETURN(std::optional<ReceivedFrame> frame, TryReceiveFrame(socket));
    if (frame.has_value()) return *std::move(frame);
    if (ended) return PeerGone();
    if (deadline.HasPassed()) return absl::DeadlineExceededError("the peer did not answer in the login");
    pollfd polls[] = {{.fd = socket.get(), .events = POLLIN, .revents = 0},
                      {.fd = process.fd().get(), .events = POLLIN, .revents = 0}};
    timespec storage;
    if (os::Poll(polls, 2, deadline.ToPollTimeout(&storage)) < 0 && errno != EINTR) {
      return FromErrno(errno, "wait for the peer in the login");
    }
  }
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
