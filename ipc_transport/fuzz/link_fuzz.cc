// A link whose peer sends packets of its own making, with descriptors of all kinds.

#include <sys/eventfd.h>

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
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/link.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/fuzz/fuzz_target.h"
#include "ipc_util/testing/socket_pair.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::kMaxDescriptors;
using ::ipc::internal::Link;

// As link.cc sends it, so that the input need not guess it.
struct DescriptorsPacket {
  uint8_t type = 3;
  uint8_t version = 1;
  uint8_t count = 0;
  uint8_t reserved = 0;
  uint32_t channel = 0;
  uint64_t record = 0;
};

void RunLink(FuzzInput& input) {
  auto [socket, peer_socket] = MakeSocketPair();
  const Fd descriptor(eventfd(0, EFD_CLOEXEC));
  RawPackets peer(peer_socket);
  const std::shared_ptr<Link> link = Link::Create(std::move(socket), PidFd()).value();
  bool is_broken = false;  // What the peer has sent breaks the protocol.
  while (!input.empty()) {
    const bool had_ended = link->ended();
    switch (input.Byte() % 8) {
      case 0:
        peer.Send(input.Bytes(input.Byte() % 32), input);
        break;
      case 1: {
        DescriptorsPacket packet;
        packet.channel = input.Byte() % 4;
        packet.record = input.Byte() % 4;
        packet.count = input.Byte();
        const std::optional<size_t> sent =
            peer.Send(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(&packet), sizeof(packet)), input);
        is_broken |= sent.has_value() && (*sent != packet.count || *sent == 0 || *sent > kMaxDescriptors);
        break;
      }
      case 2: {
        const uint32_t channel = input.Byte() % 4;
        const uint64_t record = input.Byte() % 4;
        const size_t count = input.Byte() % 20;
        const auto taken = link->TakeDescriptors(channel, record, count);
        FuzzCheck(taken.ok() ? taken->size() == count : link->ended());
        break;
      }
      case 3:
        link->Pump();
        FuzzCheck(!is_broken || link->ended());
        break;
      case 4: {
        const absl::Status waited = link->Wait(link->Ticket(), Deadline::Passed());
        FuzzCheck(waited.ok() || absl::IsDeadlineExceeded(waited));
        break;
      }
      case 5: {
        const std::vector<FdView> descriptors(input.Byte() % 4, descriptor.view());
        link->SendDescriptors(0, 0, descriptors).IgnoreError();
        break;
      }
      case 6:
        link->RingDoorbell();
        link->Interrupt();
        break;
      case 7:
        shutdown(peer_socket.get(), SHUT_WR);
        break;
    }
    // The end is for ever, and has a reason.
    FuzzCheck(!had_ended || link->ended());
    FuzzCheck(link->ended() == !link->end_status().ok());
  }
  link->Pump();
}

void FuzzLink(const uint8_t* data, size_t size) {
  const size_t before = OpenDescriptors();
  FuzzInput input(data, size);
  RunLink(input);
  FuzzCheck(OpenDescriptors() == before);
}

}  // namespace
}  // namespace ipc::testing

SLUICE_FUZZ_TARGET(::ipc::testing::FuzzLink)
