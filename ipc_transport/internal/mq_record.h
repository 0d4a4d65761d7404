// What stands before the payload of each message in a queue.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MQ_RECORD_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MQ_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

inline constexpr uint8_t kMqRecordVersion = 1;

enum class MqRecordType : uint8_t { kMessage = 1, kFinish = 2 };

struct MqRecordHeader {
  uint8_t version = kMqRecordVersion;
  MqRecordType type = MqRecordType::kMessage;
  uint8_t descriptors = 0;  // They travel over the companion socket.
  uint8_t reserved = 0;
  uint32_t bytes = 0;   // Of the payload.
  uint64_t record = 0;  // Counts from 0 in each direction.
};
static_assert(std::is_trivially_copyable_v<MqRecordHeader> && sizeof(MqRecordHeader) == 16);

// The one step that a message of the peer goes through before it is used: the header of `message`, which must be record
// `record` and have a payload of at most `max_payload` bytes. DATA_LOSS: it is not. FAILED_PRECONDITION: another
// version.
absl::StatusOr<MqRecordHeader> ParseMqRecord(absl::Span<const std::byte> message, uint64_t record, size_t max_payload);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MQ_RECORD_H_
