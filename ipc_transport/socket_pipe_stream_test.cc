// A socket pipe over a stream socket does all that a pipe does.

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/pipe_conformance.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/credentials.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

absl::StatusOr<std::unique_ptr<Pipe>> MakeEnd(Fd stream) {
  return SocketPipe::FromSocket(std::move(stream), {}, testing::TimeLimit());
}

absl::StatusOr<testing::PipePair> MakePair() {
  auto [here, there] = testing::MakeSocketPair(SOCK_STREAM);
  absl::StatusOr<std::unique_ptr<Pipe>> second;
  std::thread other([&second, &there = there] { second = MakeEnd(std::move(there)); });
  absl::StatusOr<std::unique_ptr<Pipe>> first = MakeEnd(std::move(here));
  other.join();
  if (!first.ok()) return first.status();
  if (!second.ok()) return second.status();
  return testing::PipePair(*std::move(first), *std::move(second));
}

// Whoever made `socket` makes the stream, too, and sends one end of it to the other.
absl::StatusOr<std::unique_ptr<Pipe>> MakeOver(Fd socket) {
  SLUICE_ASSIGN_OR_RETURN(const Credentials maker, PeerCredentials(socket));
  std::byte byte = {};
  if (maker.pid == getpid()) {
    auto [here, there] = testing::MakeSocketPair(SOCK_STREAM);
    const Blob part(&byte, 1);
    const FdView descriptor = there;
    SLUICE_RETURN_IF_ERROR(internal::SendPacketBy(socket, absl::MakeConstSpan(&part, 1),
                                                  absl::MakeConstSpan(&descriptor, 1), testing::TimeLimit())
                               .status());
    there.Close();
    return MakeEnd(std::move(here));
  }
  std::vector<Fd> descriptors;
  const Deadline deadline = testing::TimeLimit();
  while (descriptors.empty() && !deadline.HasPassed()) {
    iovec part = {.iov_base = &byte, .iov_len = 1};
    SLUICE_RETURN_IF_ERROR(internal::ReceivePacket(socket, absl::MakeSpan(&part, 1), &descriptors).status());
  }
  if (descriptors.empty()) return absl::DeadlineExceededError("no stream came");
  return MakeEnd(std::move(descriptors[0]));
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc

SLUICE_INSTANTIATE_PIPE_CONFORMANCE(StreamSocket, {.create_pair = &ipc::MakePair, .from_socket = &ipc::MakeOver});
