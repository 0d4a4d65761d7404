#include "ipc_session/internal/lane_space.h"

#include <iterator>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

LaneSpace::LaneSpace(const OutboxLayout& layout) : free_bytes_(layout.bytes - layout.lanes_offset) {
  if (free_bytes_ != 0) free_.emplace(layout.lanes_offset, free_bytes_);
}

std::optional<LanePlace> LaneSpace::Take(uint64_t ring_bytes) {
  const uint64_t needed = LaneBytes(ring_bytes);
  for (auto part = free_.begin(); part != free_.end(); ++part) {
    const auto [offset, bytes] = *part;
    if (bytes < needed) continue;
    free_.erase(part);
    if (bytes > needed) free_.emplace(offset + needed, bytes - needed);
    free_bytes_ -= needed;
    return LanePlace{.offset = offset, .ring_bytes = ring_bytes};
  }
  return std::nullopt;
}

void LaneSpace::GiveBack(const LanePlace& place) {
  free_bytes_ += place.bytes();
  const auto part = free_.emplace(place.offset, place.bytes()).first;
  if (const auto next = std::next(part); next != free_.end() && part->first + part->second == next->first) {
    part->second += next->second;
    free_.erase(next);
  }
  if (part == free_.begin()) return;
  if (const auto before = std::prev(part); before->first + before->second == part->first) {
    before->second += part->second;
    free_.erase(part);
  }
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
