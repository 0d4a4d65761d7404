// What a Cap'n Proto type leads to, as bytes: Cap'n Proto's own schema nodes, for the peer to judge.
//
// The bytes are one segment of a Cap'n Proto message whose root is a List(Node) of the structs and enums, the type
// itself first and each group behind its parent. Generic types are written out, once for each of their arguments, with
// ids of their own that are made of the ids of the type and its arguments; so no node has parameters or brands.
// Defaults of pointers, annotations and interfaces are left out.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_NODES_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_NODES_H_

#include <capnp/list.h>
#include <capnp/schema.capnp.h>

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Groups within groups.
inline constexpr int kMaxGroupDepth = 32;

// Nodes whose form was checked: those of an honest peer, and others that Cap'n Proto's SchemaLoader can be given. It
// relies on: the numbers of union members and the groups' sizes are as announced, each group has one parent that comes
// before it, all that is named is there. Move-only.
class SchemaNodes {
 public:
  // Keeps a copy of `bytes`. DATA_LOSS: they are no such nodes.
  static absl::StatusOr<SchemaNodes> Parse(absl::Span<const std::byte> bytes);

  SchemaNodes(SchemaNodes&&) noexcept;
  SchemaNodes& operator=(SchemaNodes&&) noexcept;
  ~SchemaNodes();

  // At least one. What lies in defaults may still be malformed: reading it throws kj::Exception. All nodes can be read
  // some ten times before the limit against messages that unfold without end throws, too.
  capnp::List<capnp::schema::Node>::Reader nodes() const { return nodes_; }

 private:
  struct Message;

  SchemaNodes();

  std::unique_ptr<Message> message_;
  capnp::List<capnp::schema::Node>::Reader nodes_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_SCHEMA_NODES_H_
