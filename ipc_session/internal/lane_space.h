// Which parts of an outbox are taken by lanes.

#ifndef SLUICE_IPC_SESSION_INTERNAL_LANE_SPACE_H_
#define SLUICE_IPC_SESSION_INTERNAL_LANE_SPACE_H_

#include <cstdint>
#include <map>
#include <optional>

#include "ipc_session/internal/outbox.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// First fit, so that what was used before is used again. In private memory. One thread at a time.
class LaneSpace {
 public:
  // Of an own outbox. The first lanes taken are those that a session starts with, in their order.
  explicit LaneSpace(const OutboxLayout& layout);

  // nullopt: there is no room for a ring of so many bytes.
  std::optional<LanePlace> Take(uint64_t ring_bytes);
  // `place` was taken, and is not given back twice.
  void GiveBack(const LanePlace& place);

  uint64_t free_bytes() const { return free_bytes_; }

 private:
  std::map<uint64_t, uint64_t> free_;  // Bytes by offset; no two of them touch.
  uint64_t free_bytes_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_LANE_SPACE_H_
