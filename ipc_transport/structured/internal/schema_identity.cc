#include "ipc_transport/structured/internal/schema_identity.h"

#include <capnp/any.h>
#include <capnp/schema.capnp.h>

#include <cstddef>
#include <unordered_map>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

namespace schema = ::capnp::schema;

struct HashOfSchema {
  size_t operator()(const capnp::Schema& type) const { return type.hashCode(); }
};

// FNV-1a over the layouts, depth first, each type once. A generic type is one for each of its arguments.
class LayoutHasher {
 public:
  void Add(capnp::StructSchema type) {
    const schema::Node::Reader node = type.getProto();
    Mix(node.getId());
    const auto [seen, is_new] = seen_.try_emplace(type, seen_.size());
    if (node.getIsGeneric()) Mix(seen->second);  // Which one of that id.
    if (!is_new) return;
    int& depth = depths_[node.getId()];
    if (depth == kMaxGenericDepth) return;
    ++depth;
    AddLayout(type);
    --depths_[node.getId()];
  }

  uint64_t value() const { return hash_; }

 private:
  // `Nest(X)` with a field of type `Nest(Nest(X))` has no end.
  static constexpr int kMaxGenericDepth = 12;

  void AddLayout(capnp::StructSchema type) {
    const schema::Node::Reader node = type.getProto();
    const schema::Node::Struct::Reader layout = node.getStruct();
    Mix(layout.getDataWordCount());
    Mix(layout.getPointerCount());
    Mix(layout.getDiscriminantCount());
    Mix(layout.getDiscriminantOffset());
    const auto fields = type.getFields();
    Mix(fields.size());
    for (const auto field : fields) Add(field);
  }

  void Add(capnp::StructSchema::Field field) {
    const schema::Field::Reader proto = field.getProto();
    Mix(static_cast<uint64_t>(proto.which()));
    Mix(proto.getDiscriminantValue());
    if (proto.isSlot()) {
      Mix(proto.getSlot().getOffset());
      Add(proto.getSlot().getDefaultValue());
    }
    Add(field.getType());
  }

  void Add(capnp::Type type) {
    Mix(static_cast<uint64_t>(type.which()));
    if (type.isList()) Add(type.asList().getElementType());
    if (type.isStruct()) Add(type.asStruct());
    if (type.isEnum()) Mix(type.asEnum().getProto().getId());
    if (type.isInterface()) Mix(type.asInterface().getProto().getId());
  }

  // Fields hold their values exclusive-or their default.
  void Add(schema::Value::Reader value) {
    const auto words = capnp::AnyStruct::Reader(value).canonicalize();
    Mix(words.size());
    for (const std::byte byte :
         absl::MakeConstSpan(reinterpret_cast<const std::byte*>(words.begin()), words.size() * sizeof(capnp::word))) {
      MixByte(static_cast<uint8_t>(byte));
    }
  }

  void Mix(uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) MixByte(static_cast<uint8_t>(value >> shift));
  }

  void MixByte(uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }

  uint64_t hash_ = 0xcbf29ce484222325;
  std::unordered_map<capnp::Schema, size_t, HashOfSchema> seen_;  // With their numbers.
  absl::flat_hash_map<uint64_t, int> depths_;                     // How often an id is being looked into now.
};

std::string Describe(absl::string_view name, uint64_t type_id) {
  return absl::StrCat(absl::CHexEscape(name), " (@0x", absl::Hex(type_id, absl::kZeroPad16), ")");
}

}  // namespace

SchemaIdentity IdentityOf(capnp::StructSchema schema) {
  LayoutHasher hasher;
  hasher.Add(schema);
  const auto node = schema.getProto();
  absl::string_view name(node.getDisplayName().cStr(), node.getDisplayName().size());
  // The end of a long path tells more than its beginning.
  if (name.size() > kMaxNameBytes) name.remove_prefix(name.size() - kMaxNameBytes);
  return {.type_id = node.getId(), .layout_hash = hasher.value(), .name = std::string(name), .schema = schema};
}

absl::Status CheckPeerType(const SchemaIdentity& own, const SchemaRecord& peer) {
  if (peer.min_version > kRecordVersion || peer.max_version < kRecordVersion) {
    return absl::FailedPreconditionError(absl::StrCat("this side speaks version ", kRecordVersion,
                                                      " of structured channels, the peer ", peer.min_version, " to ",
                                                      peer.max_version, "; build both against one release"));
  }
  if (peer.type_id != own.type_id) {
    return absl::FailedPreconditionError(
        absl::StrCat("this side of the channel speaks ", Describe(own.name, own.type_id), ", the peer ",
                     Describe(peer.name, peer.type_id), "; upgrade both ends with one type"));
  }
  return absl::OkStatus();
}

std::string DescribeDifference(const SchemaIdentity& own, const SchemaRecord& peer) {
  return absl::StrCat("this side of the channel speaks ", Describe(own.name, own.type_id), " of layout ",
                      absl::Hex(own.layout_hash, absl::kZeroPad16), ", the peer ", Describe(peer.name, peer.type_id),
                      " of layout ", absl::Hex(peer.layout_hash, absl::kZeroPad16));
}

absl::Status CheckPeer(const SchemaIdentity& own, const SchemaRecord& peer) {
  SLUICE_RETURN_IF_ERROR(CheckPeerType(own, peer));
  if (peer.layout_hash == own.layout_hash) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(DescribeDifference(own, peer), "; build both sides from one version of the schema"));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
