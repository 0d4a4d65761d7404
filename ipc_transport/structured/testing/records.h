// Records of structured channels, byte by byte: what an honest peer sends, to be made dishonest.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_RECORDS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_RECORDS_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "absl/strings/string_view.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_identity.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// 8-aligned, as all that `new` returns.
using Bytes = std::vector<std::byte>;

inline void Append(Bytes& bytes, absl::string_view text) {
  const auto* const begin = reinterpret_cast<const std::byte*>(text.data());
  bytes.insert(bytes.end(), begin, begin + text.size());
}

inline void Append(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

template <typename T>
  requires std::is_trivially_copyable_v<T>
void Append(Bytes& bytes, const T& value) {
  const auto* const begin = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), begin, begin + sizeof(value));
}

template <typename T>
void Append(Bytes& bytes, const std::vector<T>& values) {
  for (const T& value : values) Append(bytes, value);
}

// One after the other: headers, numbers, vectors of them, text.
template <typename... Parts>
Bytes Join(const Parts&... parts) {
  Bytes bytes;
  (Append(bytes, parts), ...);
  return bytes;
}

// A message of one inline word.
inline ipc::internal::MessageHeader HonestMessage(uint64_t id) {
  return {.version = ipc::internal::kRecordVersion,
          .kind = static_cast<uint8_t>(ipc::internal::RecordKind::kMessage),
          .flags = 0,
          .descriptors = 0,
          .inline_words = 1,
          .segments = 0,
          .id = id,
          .in_reply_to = 0};
}

// The first bytes of a message of `total`.
inline ipc::internal::FragmentHeader HonestFragment(uint64_t id, uint64_t total) {
  return {.version = ipc::internal::kRecordVersion,
          .kind = static_cast<uint8_t>(ipc::internal::RecordKind::kFragment),
          .flags = 0,
          .descriptors = 0,
          .reserved = 0,
          .id = id,
          .offset = 0,
          .total = total};
}

inline ipc::internal::ControlHeader HonestControl(ipc::internal::RecordKind kind, uint64_t value) {
  return {.version = ipc::internal::kRecordVersion, .kind = static_cast<uint8_t>(kind), .reserved = {}, .value = value};
}

inline ipc::internal::SchemaHeader HonestSchema(const ipc::internal::SchemaIdentity& identity) {
  return {.version = 1,
          .kind = static_cast<uint8_t>(ipc::internal::RecordKind::kSchema),
          .min_version = ipc::internal::kRecordVersion,
          .max_version = ipc::internal::kRecordVersion,
          .name_bytes = static_cast<uint32_t>(identity.name.size()),
          .type_id = identity.type_id,
          .layout_hash = identity.layout_hash,
          .credit = ipc::internal::kFirstCredit};
}

// A root that is null.
inline constexpr uint64_t kNullRoot = 0;

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_RECORDS_H_
