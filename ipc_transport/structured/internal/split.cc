#include "ipc_transport/structured/internal/split.h"

#include <algorithm>
#include <cstddef>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::Status SendSplit(const Pipe& pipe, absl::Span<const Blob> parts, uint64_t id,
                       absl::Span<const FdView> descriptors, SendRecord send) {
  // Known before the first fragment rather than at the last.
  if (descriptors.size() > pipe.max_descriptors()) {
    return absl::InvalidArgumentError(absl::StrCat("the message has ", descriptors.size(),
                                                   " descriptors; the pipe carries ", pipe.max_descriptors()));
  }
  const size_t room = pipe.max_message_bytes() - sizeof(FragmentHeader);
  FragmentHeader header = {.version = kRecordVersion,
                           .kind = static_cast<uint8_t>(RecordKind::kFragment),
                           .flags = 0,
                           .descriptors = 0,
                           .reserved = 0,
                           .id = id,
                           .offset = 0,
                           .total = 0};
  for (const Blob& part : parts) header.total += part.size();

  absl::InlinedVector<Blob, 8> fragment;
  const Blob* part = parts.data();
  size_t taken = 0;  // Of *part.
  while (header.offset < header.total) {
    fragment.assign({absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&header), sizeof(header))});
    size_t bytes = 0;
    while (bytes < room && header.offset + bytes < header.total) {
      const Blob piece = part->subspan(taken, room - bytes);
      if (!piece.empty()) fragment.push_back(piece);
      bytes += piece.size();
      taken += piece.size();
      if (taken == part->size()) {
        ++part;
        taken = 0;
      }
    }
    const bool is_last = header.offset + bytes == header.total;
    if (is_last) header.descriptors = static_cast<uint8_t>(descriptors.size());
    SLUICE_RETURN_IF_ERROR(send(fragment, is_last ? descriptors : absl::Span<const FdView>()));
    header.offset += bytes;
    os::Point("structured.fragment.sent");
  }
  return absl::OkStatus();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
