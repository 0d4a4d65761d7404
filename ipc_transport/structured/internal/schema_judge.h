// Whether two versions of a schema understand each other, where their layouts differ.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_JUDGE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_JUDGE_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_identity.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Judges a peer whose type is ours (`CheckPeerType`) and whose layout is not: OK if Cap'n Proto takes one schema for a
// newer version of the other, type by type. `peer_bytes` is what `EncodeSchema` gave the peer. Both ends come to the
// same result.
//
// FAILED_PRECONDITION: they do not fit; names both types, both layouts and why. DATA_LOSS: the bytes describe no
// schema. RESOURCE_EXHAUSTED, FAILED_PRECONDITION: of `EncodeSchema` for our own type.
//
// Takes time and memory in proportion to the bytes, and remembers the last results. Any thread.
absl::Status JudgeSchemas(const SchemaIdentity& own, const SchemaRecord& peer, absl::Span<const std::byte> peer_bytes);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_JUDGE_H_
