#include "ipc_session/internal/ask_server.h"

#include <utility>

#include "ipc_session/internal/frame_header.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/inquiry.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<AnsweredInquiry> AskServer(const std::string& path, Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(const Fd socket, ConnectToListener(path, deadline));
  SLUICE_ASSIGN_OR_RETURN(const Credentials server, PeerCredentials(socket));
  SLUICE_ASSIGN_OR_RETURN(const PidFd process, PidFd::OfPeer(socket));
  SLUICE_RETURN_IF_ERROR(SendFrame(socket, EncodeInquiry(), {}, deadline));
  ReportReader reader;
  for (bool complete = false; !complete;) {
    SLUICE_ASSIGN_OR_RETURN(const ReceivedFrame frame, ReceiveFrame(socket, process, deadline));
    if (!frame.descriptors.empty()) return MalformedFrame("its report carries descriptors");
    SLUICE_ASSIGN_OR_RETURN(complete, reader.Add(frame.packet));
  }
  SLUICE_ASSIGN_OR_RETURN(ServerReport report, reader.Decode());
  return AnsweredInquiry{.server = server, .report = std::move(report)};
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
