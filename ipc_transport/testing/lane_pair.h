// Both ends of a ring channel without pipes around them.

#ifndef SLUICE_IPC_TRANSPORT_TESTING_LANE_PAIR_H_
#define SLUICE_IPC_TRANSPORT_TESTING_LANE_PAIR_H_

#include <cstddef>
#include <memory>

#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Two lanes, a's and b's, each in one mapping that both ends and the test itself use, and the link between them.
// Failures end the program.
struct LanePair {
  explicit LanePair(size_t a_ring_bytes = ::ipc::internal::kMinRingBytes,
                    size_t b_ring_bytes = ::ipc::internal::kMinRingBytes);

  ::ipc::internal::OwnLane a_own() const { return ::ipc::internal::OwnLane(a.bytes()); }
  ::ipc::internal::PeerLane a_seen() const { return ::ipc::internal::PeerLane(a.bytes()); }
  ::ipc::internal::OwnLane b_own() const { return ::ipc::internal::OwnLane(b.bytes()); }
  ::ipc::internal::PeerLane b_seen() const { return ::ipc::internal::PeerLane(b.bytes()); }

  Region a;
  Region b;
  std::shared_ptr<::ipc::internal::Link> a_link;
  std::shared_ptr<::ipc::internal::Link> b_link;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_TESTING_LANE_PAIR_H_
