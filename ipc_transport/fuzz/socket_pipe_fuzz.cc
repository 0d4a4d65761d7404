// A socket pipe whose peer speaks what it likes.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/fuzz/raw_packets.h"
#include "ipc_transport/internal/socket_handshake.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/fuzz/fuzz_target.h"
#include "ipc_util/testing/socket_pair.h"

namespace ipc::testing {
namespace {

// A frame as a socket pipe sends it, so that the input need not guess it: its header, then the payload.
std::vector<uint8_t> MakeFrame(FuzzInput& input) {
  const uint8_t type = input.Byte();
  const uint8_t descriptors = input.Byte();
  const absl::Span<const uint8_t> payload = input.Bytes(input.Byte());
  std::vector<uint8_t> frame = {type, descriptors, 0, 0, static_cast<uint8_t>(payload.size()), 0, 0, 0};
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

void SendHello(RawPackets& peer, FuzzInput& input) {
  const ipc::internal::SocketHello hello = {.max_message_bytes = 1000};
  peer.Send(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(&hello), sizeof(hello)), input);
}

// Everything is in the socket, and after it its end, before the pipe is made: so it never waits.
void RunPipe(FuzzInput& input) {
  const uint8_t choice = input.Byte();
  auto [socket, peer_socket] = MakeSocketPair(choice % 2 == 0 ? SOCK_SEQPACKET : SOCK_STREAM);
  RawPackets peer(peer_socket);
  const bool is_honest_at_first = choice / 2 % 8 != 0;
  const size_t buffer_bytes = choice / 2;
  if (is_honest_at_first) SendHello(peer, input);
  while (!input.empty()) {
    if (input.Byte() % 2 == 0) {
      peer.Send(input.Bytes(input.Byte()), input);
    } else {
      const std::vector<uint8_t> frame = MakeFrame(input);
      peer.Send(frame, input);
    }
  }
  shutdown(peer_socket.get(), SHUT_WR);

  const absl::StatusOr<std::unique_ptr<SocketPipe>> pipe = SocketPipe::FromSocket(std::move(socket));
  if (!pipe.ok()) return;
  (*pipe)->TrySend(Blob()).IgnoreError();
  for (bool is_small = true;; is_small = !is_small) {
    // A buffer that is too small now and then; the message must stay.
    std::vector<std::byte> buffer(is_small ? buffer_bytes : (*pipe)->max_message_bytes());
    std::vector<Fd> descriptors;
    const absl::StatusOr<std::optional<size_t>> received =
        (*pipe)->TryReceive(absl::MakeSpan(buffer), is_small ? &descriptors : nullptr);
    if (is_small && absl::IsInvalidArgument(received.status())) continue;
    if (!received.ok() || !received->has_value()) break;
    FuzzCheck(**received <= buffer.size() && descriptors.size() <= (*pipe)->max_descriptors());
  }
}

void FuzzSocketPipe(const uint8_t* data, size_t size) {
  const size_t before = OpenDescriptors();
  FuzzInput input(data, size);
  RunPipe(input);
  FuzzCheck(OpenDescriptors() == before);
}

}  // namespace
}  // namespace ipc::testing

SLUICE_FUZZ_TARGET(::ipc::testing::FuzzSocketPipe)
