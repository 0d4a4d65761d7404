// A stretch of a region.

#ifndef SLUICE_IPC_SHM_INTERNAL_REGION_WINDOW_H_
#define SLUICE_IPC_SHM_INTERNAL_REGION_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Lies inside its region, which it keeps mapped.
struct RegionWindow {
  std::shared_ptr<const Region> region;
  size_t offset = 0;
  size_t bytes = 0;
  bool is_committed = false;  // What is handed out of it has its memory.

  std::byte* data() const { return region->data() + offset; }

  // Where `address` lies in the region.
  size_t OffsetOf(const void* address) const {
    return static_cast<size_t>(static_cast<const std::byte*>(address) - region->data());
  }

  // Whether `size` bytes at `start` of the region all lie in the window. Right for any numbers.
  bool Contains(uint64_t start, uint64_t size) const {
    return start >= offset && start - offset <= bytes && size <= bytes - (start - offset);
  }
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_REGION_WINDOW_H_
