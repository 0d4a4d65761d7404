// Writes down what a type leads to, as schema_nodes.h describes it.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_ENCODER_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_ENCODER_H_

#include <capnp/schema.h>

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// At most kMaxSchemaBytes. RESOURCE_EXHAUSTED: the type leads to more, or to more than 1024 types. FAILED_PRECONDITION:
// groups are nested deeper than kMaxGroupDepth, or two uses of a generic type cannot be told apart.
absl::StatusOr<std::vector<std::byte>> EncodeSchema(capnp::StructSchema schema);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_ENCODER_H_
