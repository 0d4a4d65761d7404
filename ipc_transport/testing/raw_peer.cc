#include "ipc_transport/testing/raw_peer.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

[[noreturn]] void DieOf(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

}  // namespace

RawPeer::RawPeer(int type) : file_(eventfd(0, EFD_CLOEXEC)) {
  auto [mine, other] = MakeSocketPair(type);
  socket_ = std::move(mine);
  other_ = std::move(other);
}

void RawPeer::SendHello(const ipc::internal::SocketHello& hello) {
  std::vector<uint8_t> bytes(sizeof(hello));
  std::memcpy(bytes.data(), &hello, sizeof(hello));
  Send(bytes);
}

void RawPeer::Send(const std::vector<uint8_t>& bytes, size_t descriptors) {
  const Blob part(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
  const absl::StatusOr<bool> sent = ipc::internal::SendPacketBy(
      socket_, absl::MakeConstSpan(&part, 1), std::vector<FdView>(descriptors, file_.view()), TimeLimit());
  if (!absl::IsUnavailable(sent.status()) && (!sent.ok() || !*sent)) DieOf(sent.status());
}

std::vector<uint8_t> RawPeer::Receive(size_t most) {
  std::vector<uint8_t> bytes(most);
  const ssize_t received = recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  bytes.resize(received < 0 ? 0 : received);
  return bytes;
}

PipeWithRawPeer MakePipeWithRawPeer(int type, const SocketPipeOptions& options) {
  RawPeer peer(type);
  // A peer that is alive often enough for every idle_timeout.
  peer.SendHello({.max_message_bytes = 1 << 20,
                  .keep_alive_milliseconds = options.idle_timeout == absl::ZeroDuration() ? 0u : 1u});
  absl::StatusOr<std::unique_ptr<SocketPipe>> pipe = SocketPipe::FromSocket(peer.TakeOther(), options, TimeLimit());
  if (!pipe.ok()) DieOf(pipe.status());
  if (peer.Receive(sizeof(ipc::internal::SocketHello)).size() != sizeof(ipc::internal::SocketHello)) std::abort();
  return {.pipe = *std::move(pipe), .peer = std::move(peer)};
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
