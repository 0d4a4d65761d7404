#include "ipc_transport/structured/internal/private_segments.h"

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<PrivateSegments> PrivateSegments::CopyOf(std::unique_ptr<BorrowedSegments> borrowed,
                                                        uint64_t max_bytes) {
  uint64_t bytes = 0;
  for (const absl::Span<const std::byte> segment : borrowed->segments()) {
    if (segment.size() > max_bytes - bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a message in the peer's memory is larger than the ", max_bytes, " bytes that are copied"));
    }
    bytes += segment.size();
  }
  PrivateSegments copy;
  if (bytes == 0) return copy;
  SLUICE_RETURN_IF_ERROR(copy.memory_.Grow(bytes));
  size_t offset = 0;
  for (const absl::Span<const std::byte> segment : borrowed->segments()) {
    std::memcpy(copy.memory_.data() + offset, segment.data(), segment.size());
    copy.segments_.push_back(absl::MakeConstSpan(copy.memory_.data() + offset, segment.size()));
    offset += segment.size();
  }
  return copy;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
