// Which Cap'n Proto type a channel speaks, in a form that both sides can compare.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_IDENTITY_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_IDENTITY_H_

#include <capnp/schema.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "ipc_transport/structured/internal/record.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

struct SchemaIdentity {
  uint64_t type_id = 0;
  // Of where every field of the type, and of the types it leads to, lies and what it means; not of names, comments or
  // the path of the schema's file. The same in every process.
  uint64_t layout_hash = 0;
  std::string name;  // At most kMaxNameBytes.
  // What it was made from: for `EncodeSchema`. Valid as long as its loader; that of a generated type always is.
  capnp::StructSchema schema = capnp::StructSchema();
};

SchemaIdentity IdentityOf(capnp::StructSchema schema);

// Computed once per type.
template <typename Root>
const SchemaIdentity& IdentityOf() {
  static const SchemaIdentity& identity = *new SchemaIdentity(IdentityOf(capnp::Schema::from<Root>()));
  return identity;
}

// Whether both sides speak one type, whatever its layout, and a common version of the records. FAILED_PRECONDITION,
// with both sides' values.
absl::Status CheckPeerType(const SchemaIdentity& own, const SchemaRecord& peer);

// The same, and one layout.
absl::Status CheckPeer(const SchemaIdentity& own, const SchemaRecord& peer);

// "this side of the channel speaks T of layout 1, the peer T of layout 2".
std::string DescribeDifference(const SchemaIdentity& own, const SchemaRecord& peer);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_IDENTITY_H_
