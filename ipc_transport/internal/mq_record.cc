#include "ipc_transport/internal/mq_record.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<MqRecordHeader> ParseMqRecord(absl::Span<const std::byte> message, uint64_t record, size_t max_payload) {
  MqRecordHeader header;
  if (message.size() < sizeof(header)) {
    return absl::DataLossError(absl::StrCat("the peer's queue message of ", message.size(), " bytes has no header"));
  }
  std::memcpy(&header, message.data(), sizeof(header));
  if (header.version != kMqRecordVersion) {
    return WithReason(
        absl::FailedPreconditionError(absl::StrCat("the peer speaks version ", header.version,
                                                   " of the queue protocol, this side ", kMqRecordVersion)),
        Reason::kWrongVersion);
  }
  const bool known = header.type == MqRecordType::kMessage ||
                     (header.type == MqRecordType::kFinish && header.bytes == 0 && header.descriptors == 0);
  if (!known || header.reserved != 0 || header.record != record || header.bytes > max_payload ||
      header.bytes != message.size() - sizeof(header) || header.descriptors > kMaxDescriptors) {
    return absl::DataLossError(absl::StrCat("the peer's queue message ", header.record, " of type ",
                                            static_cast<int>(header.type), ", ", header.bytes, " bytes and ",
                                            header.descriptors, " descriptors cannot be; expected was message ", record,
                                            ", ", message.size() - sizeof(header), " bytes came"));
  }
  return header;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
