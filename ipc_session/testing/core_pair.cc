#include "ipc_session/testing/core_pair.h"

#include <sys/socket.h>

#include <cstddef>
#include <cstdlib>
#include <utility>

#include "ipc_session/internal/outbox.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::Outboxes;
using ::ipc::internal::OutboxLayout;
using ::ipc::internal::OwnOutbox;
using ::ipc::internal::PeerOutbox;
using ::ipc::internal::SessionCore;
using ::ipc::internal::SessionMemory;
using ::ipc::internal::Side;

constexpr uint64_t kRingBytes = 4096;
constexpr uint64_t kOutboxBytes = 2 << 20;
constexpr uint32_t kMaxChannels = 100;

OwnOutbox MakeOutbox(uint32_t channels) {
  OwnOutbox outbox = OwnOutbox::Create(OutboxLayout::For(kOutboxBytes, kRingBytes, channels)).value();
  outbox.InitLanes(channels);
  return outbox;
}

PeerOutbox MapOutbox(const OwnOutbox& outbox) {
  return PeerOutbox::Map(outbox.OpenReadOnly().value(), outbox.layout()).value();
}

std::shared_ptr<SessionCore> MakeCore(Side side, int socket, OwnOutbox own, PeerOutbox peer, uint32_t channels,
                                      std::shared_ptr<SessionMemory> memory) {
  return SessionCore::Create(
             {.side = side,
              .socket = Fd(socket),
              .process = PidFd(),
              .outboxes = std::make_shared<const Outboxes>(Outboxes{.own = std::move(own), .peer = std::move(peer)}),
              .channels = channels,
              .max_channels = kMaxChannels,
              .memory = std::move(memory),
              .peer = {.app = "other"},
              .peer_metadata = "metadata"})
      .value();
}

}  // namespace

CorePair MakeCorePair(uint32_t channels, std::shared_ptr<SessionMemory> first_memory,
                      std::shared_ptr<SessionMemory> second_memory) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) std::abort();
  OwnOutbox first = MakeOutbox(channels);
  OwnOutbox second = MakeOutbox(channels);
  PeerOutbox first_seen = MapOutbox(first);
  PeerOutbox second_seen = MapOutbox(second);
  return {.first = MakeCore(Side::kClient, sockets[0], std::move(first), std::move(second_seen), channels,
                            std::move(first_memory)),
          .second = MakeCore(Side::kServer, sockets[1], std::move(second), std::move(first_seen), channels,
                             std::move(second_memory))};
}

CoreAndStranger MakeCoreAndStranger(uint32_t channels, std::shared_ptr<SessionMemory> memory) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) std::abort();
  OwnOutbox own = MakeOutbox(channels);
  const OwnOutbox strangers = MakeOutbox(channels);
  return {
      .core = MakeCore(Side::kClient, sockets[0], std::move(own), MapOutbox(strangers), channels, std::move(memory)),
      .stranger = Fd(sockets[1]),
      .outbox = strangers.layout()};
}

void CoreAndStranger::Send(const std::string& bytes, absl::Span<const FdView> descriptors) const {
  constexpr std::byte kControl{4};  // As a link marks them.
  const Blob parts[] = {absl::MakeConstSpan(&kControl, 1),
                        Blob(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size())};
  ::ipc::internal::SendPacketBy(stranger, parts, descriptors, TimeLimit()).value();
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
