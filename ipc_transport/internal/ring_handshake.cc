#include "ipc_transport/internal/ring_handshake.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr uint32_t kMagic = 0x676e6952;  // "Ring".
constexpr uint16_t kOldestVersion = 1;
constexpr uint16_t kNewestVersion = 1;

struct Hello {
  uint32_t magic = kMagic;
  uint16_t oldest_version = kOldestVersion;
  uint16_t newest_version = kNewestVersion;
  uint64_t ring_bytes = 0;
};
static_assert(std::is_trivially_copyable_v<Hello> && sizeof(Hello) == 16);

struct Outboxes {
  Region own;
  Region peer;
};

// The one step that the peer's hello goes through before it is used.
absl::Status Validate(const Hello& hello, size_t bytes, size_t descriptors) {
  if (bytes != sizeof(Hello) || hello.magic != kMagic || descriptors != 1) {
    return absl::DataLossError("the peer does not speak the protocol of ring pipes");
  }
  if (hello.oldest_version > kNewestVersion || hello.newest_version < kOldestVersion) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat("no common version of the ring protocol: here ",
                                                                 kOldestVersion, " to ", kNewestVersion, ", the peer ",
                                                                 hello.oldest_version, " to ", hello.newest_version)),
                      Reason::kWrongVersion);
  }
  if (!IsValidRingBytes(hello.ring_bytes)) {
    return absl::DataLossError(absl::StrCat("the peer's ring of ", hello.ring_bytes, " bytes cannot be"));
  }
  return absl::OkStatus();
}

// The kernel tells who connected or listened, or made a pair of sockets. Who made a pair need not hold an end of it;
// only a pair has no name at either end.
bool IsPair(FdView socket) {
  sockaddr_un address;
  for (const auto name_of : {&os::GetSockName, &os::GetPeerName}) {
    socklen_t bytes = sizeof(address);
    if (name_of(socket.get(), reinterpret_cast<sockaddr*>(&address), &bytes) != 0) continue;
    if (bytes > sizeof(address.sun_family)) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<RingHandshake> RingHandshake::Create(Fd socket, size_t ring_bytes) {
  if (!IsValidRingBytes(ring_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("ring_bytes is ", ring_bytes, "; give a power of two from ",
                                                   kMinRingBytes, " to ", kMaxRingBytes));
  }
  int type = 0;
  socklen_t bytes = sizeof(type);
  if (os::GetSockOpt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &bytes) != 0) {
    return FromErrno(errno, "look at the socket of a ring pipe");
  }
  if (type != SOCK_SEQPACKET) return absl::InvalidArgumentError("a ring pipe needs a SOCK_SEQPACKET socket");
  SLUICE_ASSIGN_OR_RETURN(Region outbox, Region::Create("sluice-ring", LaneBytes(ring_bytes), Sharing::kOneWriter));
  InitLane(outbox.bytes());
  return RingHandshake(std::move(socket), std::move(outbox));
}

absl::Status RingHandshake::Send(Deadline deadline) {
  const Hello hello = {.ring_bytes = outbox_.size() - kLaneControlBytes};
  const Blob part(reinterpret_cast<const std::byte*>(&hello), sizeof(hello));
  SLUICE_ASSIGN_OR_RETURN(const Fd outbox, outbox_.OpenReadOnly());
  const FdView descriptor = outbox;
  SLUICE_ASSIGN_OR_RETURN(const bool sent, SendPacketBy(socket_, absl::MakeConstSpan(&part, 1),
                                                        absl::MakeConstSpan(&descriptor, 1), deadline));
  os::Point("ring.hello.sent");
  if (sent) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      "the socket of a ring pipe has no room: give a fresh one without unread data, or raise RLIMIT_NOFILE");
}

absl::StatusOr<RingParts> RingHandshake::Receive(Deadline deadline) && {
  Hello hello;
  iovec part = {.iov_base = &hello, .iov_len = sizeof(hello)};
  std::vector<Fd> descriptors;
  ReceivedPacket received;
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(received, ReceivePacket(socket_, absl::MakeSpan(&part, 1), &descriptors));
    if (received.kind == ReceivedPacket::Kind::kPacket) break;
    if (received.kind == ReceivedPacket::Kind::kEnd) {
      return WithReason(absl::UnavailableError("the peer has gone before the ring pipe was made"), Reason::kGone);
    }
    if (deadline.HasPassed())
      return absl::DeadlineExceededError("the peer has not answered; does it make a ring pipe too?");
    pollfd poll = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
    timespec storage;
    os::Poll(&poll, 1, deadline.ToPollTimeout(&storage));
  }
  os::Point("ring.hello.received");
  SLUICE_RETURN_IF_ERROR(Validate(hello, received.bytes, descriptors.size()));
  SLUICE_ASSIGN_OR_RETURN(Region peer, Region::Map(std::move(descriptors[0]), LaneBytes(hello.ring_bytes),
                                                   Access::kReadOnly, Sharing::kOneWriter));
  PidFd process;
  if (!IsPair(socket_)) {
    SLUICE_ASSIGN_OR_RETURN(process, PidFd::OfPeer(socket_));
  }
  SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<Link> link, Link::Create(std::move(socket_), std::move(process)));
  auto outboxes = std::make_shared<const Outboxes>(Outboxes{.own = std::move(outbox_), .peer = std::move(peer)});
  return RingParts{.link = std::move(link),
                   .owns_link = true,
                   .own = outboxes->own.bytes(),
                   .peer = outboxes->peer.bytes(),
                   .mapping = outboxes};
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
