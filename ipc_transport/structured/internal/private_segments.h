// A peer's segments, copied before anything of them is read: what the peer then writes there changes nothing.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_PRIVATE_SEGMENTS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_PRIVATE_SEGMENTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/structured/internal/heap_bytes.h"
#include "ipc_transport/structured/store.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Move-only.
class PrivateSegments {
 public:
  // Gives the loan back, whatever it returns. A peer that writes meanwhile gets a mixture copied, which stays the same
  // from then on. RESOURCE_EXHAUSTED: more than `max_bytes`, or no memory.
  static absl::StatusOr<PrivateSegments> CopyOf(std::unique_ptr<BorrowedSegments> borrowed, uint64_t max_bytes);

  // None.
  PrivateSegments() = default;

  // One behind the other, in one piece of memory that is aligned for every type.
  absl::Span<const absl::Span<const std::byte>> segments() const { return segments_; }
  size_t bytes() const { return memory_.size(); }

 private:
  HeapBytes memory_;
  std::vector<absl::Span<const std::byte>> segments_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_PRIVATE_SEGMENTS_H_
