#include "ipc_transport/testing/lane_pair.h"

#include <utility>

#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/socket_pair.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::Link;

Region MakeLane(size_t ring_bytes) {
  Region lane = Region::Create("lane", ::ipc::internal::LaneBytes(ring_bytes), Sharing::kManyWriters).value();
  ::ipc::internal::InitLane(lane.bytes());
  return lane;
}

}  // namespace

LanePair::LanePair(size_t a_ring_bytes, size_t b_ring_bytes) : a(MakeLane(a_ring_bytes)), b(MakeLane(b_ring_bytes)) {
  auto [a_socket, b_socket] = MakeSocketPair();
  a_link = Link::Create(std::move(a_socket), PidFd()).value();
  b_link = Link::Create(std::move(b_socket), PidFd()).value();
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
