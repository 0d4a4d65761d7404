#include "ipc_transport/internal/ring_handshake.h"

#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/hello.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/pid_fd.h"

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
  SLUICE_RETURN_IF_ERROR(CheckCommonVersion("ring protocol", {kOldestVersion, kNewestVersion},
                                            {hello.oldest_version, hello.newest_version}));
  if (!IsValidRingBytes(hello.ring_bytes)) {
    return absl::DataLossError(absl::StrCat("the peer's ring of ", hello.ring_bytes, " bytes cannot be"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RingHandshake> RingHandshake::Create(Fd socket, size_t ring_bytes) {
  if (!IsValidRingBytes(ring_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("ring_bytes is ", ring_bytes, "; give a power of two from ",
                                                   kMinRingBytes, " to ", kMaxRingBytes));
  }
  SLUICE_RETURN_IF_ERROR(CheckCompanion(socket));
  SLUICE_ASSIGN_OR_RETURN(Region outbox, Region::Create("sluice-ring", LaneBytes(ring_bytes), Sharing::kOneWriter));
  InitLane(outbox.bytes());
  return RingHandshake(std::move(socket), std::move(outbox));
}

absl::Status RingHandshake::Send(Deadline deadline) {
  const Hello hello = {.ring_bytes = outbox_.size() - kLaneControlBytes};
  SLUICE_ASSIGN_OR_RETURN(const Fd outbox, outbox_.OpenReadOnly());
  const FdView descriptor = outbox;
  SLUICE_RETURN_IF_ERROR(SendHello(socket_, Blob(reinterpret_cast<const std::byte*>(&hello), sizeof(hello)),
                                   absl::MakeConstSpan(&descriptor, 1), deadline));
  os::Point("ring.hello.sent");
  return absl::OkStatus();
}

absl::StatusOr<RingParts> RingHandshake::Receive(Deadline deadline) && {
  Hello hello;
  std::vector<Fd> descriptors;
  SLUICE_ASSIGN_OR_RETURN(const size_t bytes,
                          ReceiveHello(socket_, absl::MakeSpan(reinterpret_cast<std::byte*>(&hello), sizeof(hello)),
                                       &descriptors, deadline));
  os::Point("ring.hello.received");
  SLUICE_RETURN_IF_ERROR(Validate(hello, bytes, descriptors.size()));
  SLUICE_ASSIGN_OR_RETURN(Region peer, Region::Map(std::move(descriptors[0]), LaneBytes(hello.ring_bytes),
                                                   Access::kReadOnly, Sharing::kOneWriter));
  SLUICE_ASSIGN_OR_RETURN(PidFd process, WatchPeer(socket_));
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
