#include "ipc_session/channel_options.h"

#include "absl/strings/str_cat.h"
#include "ipc_session/internal/limits.h"
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {

absl::string_view Name(PipeKind kind) {
  switch (kind) {
    case PipeKind::kRing:
      return "ring";
    case PipeKind::kSocket:
      return "socket";
    case PipeKind::kMq:
      return "mq";
  }
  return "unknown";
}

absl::Status Validate(const PipeSizes& sizes) {
  if (sizes.ring_bytes != 0 && !internal::IsValidRingBytes(sizes.ring_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("PipeSizes.ring_bytes is ", sizes.ring_bytes,
                                                   "; give 0 or a power of two from ", internal::kMinRingBytes, " to ",
                                                   internal::kMaxRingBytes));
  }
  if (const absl::Status valid = SocketPipe::Check(sizes.socket); !valid.ok()) {
    return WithContext(valid, "PipeSizes.socket");
  }
  const absl::Status valid = MqPipe::Check(sizes.mq);
  return valid.ok() ? valid : WithContext(valid, "PipeSizes.mq");
}

absl::Status Validate(const ChannelOptions& options) {
  if (options.pipe > PipeKind::kMq) {
    return absl::InvalidArgumentError(
        absl::StrCat("ChannelOptions.pipe is ", static_cast<int>(options.pipe), "; give a PipeKind"));
  }
  if (options.metadata.size() > internal::kMaxMetadataBytes) {
    return absl::InvalidArgumentError(absl::StrCat("ChannelOptions.metadata has ", options.metadata.size(),
                                                   " bytes; at most ", internal::kMaxMetadataBytes, " travel"));
  }
  return Validate(options.sizes);
}

}  // namespace sluice_0
}  // namespace ipc
