// A socket pipe over a stream socket does all that a pipe does.

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <random>
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
#include "ipc_util/fd.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"
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

// Each side makes a stream and sends one end of it to the other, with a number; the stream of the smaller one is taken.
absl::StatusOr<std::unique_ptr<Pipe>> MakeOver(Fd socket) {
  auto [here, there] = testing::MakeSocketPair(SOCK_STREAM);
  const uint64_t own_number = std::random_device()() | uint64_t{std::random_device()()} << 32;
  const Blob part(reinterpret_cast<const std::byte*>(&own_number), sizeof(own_number));
  const FdView descriptor = there;
  SLUICE_RETURN_IF_ERROR(internal::SendPacketBy(socket, absl::MakeConstSpan(&part, 1),
                                                absl::MakeConstSpan(&descriptor, 1), testing::TimeLimit())
                             .status());
  there.Close();
  uint64_t peers_number = 0;
  std::vector<Fd> descriptors;
  const Deadline deadline = testing::TimeLimit();
  while (descriptors.empty() && !deadline.HasPassed()) {
    iovec into = {.iov_base = &peers_number, .iov_len = sizeof(peers_number)};
    SLUICE_ASSIGN_OR_RETURN(const internal::ReceivedPacket packet,
                            internal::ReceivePacket(socket, absl::MakeSpan(&into, 1), &descriptors));
    if (packet.kind == internal::ReceivedPacket::Kind::kEnd) break;
  }
  if (descriptors.empty()) return WithReason(absl::UnavailableError("no stream came"), Reason::kGone);
  return MakeEnd(own_number < peers_number ? std::move(here) : std::move(descriptors[0]));
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc

SLUICE_INSTANTIATE_PIPE_CONFORMANCE(StreamSocket, {.create_pair = &ipc::MakePair,
                                                   .from_socket = &ipc::MakeOver,
                                                   .points = {"socket.hello.sent", "socket.hello.received"}});
