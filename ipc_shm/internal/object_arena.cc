#include "ipc_shm/internal/object_arena.h"

#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using RegionCall = absl::Status (Region::*)(size_t offset, size_t bytes) const;

absl::Status Call(RegionCall call, const LendingArena& arena, absl::Span<const std::byte> memory) {
  const LendingArena::Place place = arena.PlaceOf(memory);
  if (place.region == nullptr) {
    return absl::InvalidArgumentError("the memory does not lie in an arena of this session");
  }
  return (place.region.get()->*call)(place.offset, memory.size());
}

}  // namespace

absl::Status ObjectArena::PreCommit(absl::Span<const std::byte> memory) const {
  return Call(&Region::PreCommit, *arena_, memory);
}

absl::Status ObjectArena::Collapse(absl::Span<const std::byte> memory) const {
  return Call(&Region::Collapse, *arena_, memory);
}

absl::Status ObjectArena::PopulateForReading(absl::Span<const std::byte> memory) const {
  return Call(&Region::PopulateForReading, *arena_, memory);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
