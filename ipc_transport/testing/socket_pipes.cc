#include "ipc_transport/testing/socket_pipes.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/internal/socket_handshake.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::FrameSocket;
using ::ipc::internal::SocketHandshake;

void DieUnlessOk(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

template <typename Value>
Value ValueOf(absl::StatusOr<Value> value) {
  DieUnlessOk(value.status());
  return *std::move(value);
}

}  // namespace

std::vector<uint8_t> HeaderOf(uint8_t type, uint8_t descriptors, uint32_t bytes) {
  // Type, descriptors, two reserved bytes, four bytes of length.
  std::vector<uint8_t> header = {type, descriptors, 0, 0};
  for (int shift = 0; shift < 32; shift += 8) header.push_back(static_cast<uint8_t>(bytes >> shift));
  return header;
}

std::vector<uint8_t> FrameOf(const std::vector<std::byte>& message, uint8_t descriptors) {
  std::vector<uint8_t> frame = HeaderOf(1, descriptors, static_cast<uint32_t>(message.size()));
  for (const std::byte byte : message) frame.push_back(static_cast<uint8_t>(byte));
  return frame;
}

std::unique_ptr<SocketPipe> MakeSocketPipe(Fd socket, size_t max_message_bytes) {
  return ValueOf(SocketPipe::FromSocket(std::move(socket), {.max_message_bytes = max_message_bytes}, TimeLimit()));
}

std::pair<std::unique_ptr<SocketPipe>, std::unique_ptr<SocketPipe>> MakeSocketPipes(int type,
                                                                                    size_t max_message_bytes) {
  auto [here, there] = MakeSocketPair(type);
  std::unique_ptr<SocketPipe> second;
  std::thread other([&, &there = there] { second = MakeSocketPipe(std::move(there), max_message_bytes); });
  std::unique_ptr<SocketPipe> first = MakeSocketPipe(std::move(here), max_message_bytes);
  other.join();
  return {std::move(first), std::move(second)};
}

std::pair<std::unique_ptr<FrameSocket>, std::unique_ptr<FrameSocket>> MakeFrameSockets(int type,
                                                                                       size_t max_message_bytes) {
  auto [here, there] = MakeSocketPair(type);
  const ipc::internal::SocketTerms terms = {.max_message_bytes = max_message_bytes};
  SocketHandshake first = ValueOf(SocketHandshake::Create(std::move(here), terms));
  SocketHandshake second = ValueOf(SocketHandshake::Create(std::move(there), terms));
  DieUnlessOk(first.Advance().status());
  DieUnlessOk(second.Run(TimeLimit()));
  DieUnlessOk(first.Run(TimeLimit()));
  std::unique_ptr<FrameSocket> first_frames = ValueOf(FrameSocket::Create(std::move(first)));
  return {std::move(first_frames), ValueOf(FrameSocket::Create(std::move(second)))};
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
