#include "ipc_transport/structured/internal/schema_encoder.h"

#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/schema.capnp.h>

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_nodes.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

namespace schema = ::capnp::schema;

constexpr size_t kMaxSchemaWords = kMaxSchemaBytes / sizeof(capnp::word);
// About as many as fit into kMaxSchemaBytes; a generic type may lead to ever more of itself.
constexpr size_t kMaxNodes = 1024;

absl::string_view View(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }

// FNV-1a.
class Mixer {
 public:
  Mixer& Mix(uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) hash_ = (hash_ ^ (value >> shift & 0xff)) * 0x100000001b3;
    return *this;
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xcbf29ce484222325;
};

uint64_t IdOf(capnp::StructSchema type);

// The same for the same type in every version of its schema.
uint64_t KeyOf(capnp::Type type) {
  Mixer mixer;
  mixer.Mix(static_cast<uint64_t>(type.which()));
  if (type.isList()) mixer.Mix(KeyOf(type.asList().getElementType()));
  if (type.isStruct()) mixer.Mix(IdOf(type.asStruct()));
  if (type.isEnum()) mixer.Mix(type.asEnum().getProto().getId());
  if (type.isInterface()) mixer.Mix(type.asInterface().getProto().getId());
  return mixer.value();
}

// Its own if it is not generic, else one for its arguments. Not of a generic type's group.
uint64_t IdOf(capnp::StructSchema type) {
  const schema::Node::Reader node = type.getProto();
  if (!node.getIsGeneric()) return node.getId();
  Mixer mixer;
  mixer.Mix(node.getId());
  // Its own parameters and those of what it is declared in.
  for (const uint64_t scope : {node.getId(), node.getScopeId()}) {
    const auto arguments = type.getBrandArgumentsAtScope(scope);
    unsigned count = arguments.size();
    // No argument means any pointer.
    while (count > 0 && arguments[count - 1].isAnyPointer()) --count;
    mixer.Mix(count);
    for (unsigned i = 0; i < count; ++i) mixer.Mix(KeyOf(arguments[i]));
  }
  return mixer.value() | uint64_t{1} << 63;
}

class Encoder {
 public:
  absl::Status Collect(capnp::StructSchema root) {
    SLUICE_RETURN_IF_ERROR(AddStruct(root, IdOf(root), nullptr));
    for (size_t i = 0; i < found_.size(); ++i) {
      if (found_[i].type.getProto().isStruct()) SLUICE_RETURN_IF_ERROR(AddFields(i));
    }
    return absl::OkStatus();
  }

  void Write(capnp::List<schema::Node>::Builder nodes) const {
    for (unsigned i = 0; i < nodes.size(); ++i) Write(found_[i], nodes[i]);
  }

  size_t size() const { return found_.size(); }

 private:
  struct Found {
    capnp::Schema type;
    uint64_t id;
    uint64_t parent_id;  // Of a group, else 0.
    int group_depth;
  };

  absl::Status Add(const Found& found) {
    const auto [place, is_new] = places_.try_emplace(found.id, found_.size());
    if (!is_new) {
      const capnp::Schema known = found_[place->second].type;
      if (known == found.type || FieldsKey(known) == FieldsKey(found.type)) return absl::OkStatus();
      return absl::FailedPreconditionError(
          absl::StrCat("the generic type ", View(found.type.getProto().getDisplayName()),
                       " is nested too deeply in other generic types to be described to the peer"));
    }
    if (found_.size() == kMaxNodes) {
      return absl::ResourceExhaustedError(absl::StrCat("the schema leads to more than ", kMaxNodes, " types"));
    }
    if (found.group_depth > kMaxGroupDepth) {
      return absl::FailedPreconditionError(absl::StrCat("the schema has groups within more than ", kMaxGroupDepth,
                                                        " groups: ", View(found.type.getProto().getDisplayName())));
    }
    found_.push_back(found);
    return absl::OkStatus();
  }

  absl::Status AddStruct(capnp::StructSchema type, uint64_t id, const Found* parent) {
    return Add({.type = type,
                .id = id,
                .parent_id = parent != nullptr ? parent->id : 0,
                .group_depth = parent != nullptr ? parent->group_depth + 1 : 0});
  }

  absl::Status AddFields(size_t place) {
    const Found parent = found_[place];
    for (const auto field : parent.type.asStruct().getFields()) {
      if (field.getProto().isGroup()) {
        SLUICE_RETURN_IF_ERROR(AddStruct(field.getType().asStruct(), GroupId(parent, field), &parent));
      } else {
        SLUICE_RETURN_IF_ERROR(AddType(field.getType()));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddType(capnp::Type type) {
    if (type.isList()) return AddType(type.asList().getElementType());
    if (type.isStruct()) return AddStruct(type.asStruct(), IdOf(type.asStruct()), nullptr);
    if (type.isEnum()) {
      return Add({.type = type.asEnum(), .id = type.asEnum().getProto().getId(), .parent_id = 0, .group_depth = 0});
    }
    return absl::OkStatus();
  }

  static uint64_t GroupId(const Found& parent, capnp::StructSchema::Field field) {
    const uint64_t id = field.getProto().getGroup().getTypeId();
    if (!parent.type.getProto().getIsGeneric()) return id;
    return Mixer().Mix(id).Mix(parent.id).value() | uint64_t{1} << 63;
  }

  // What tells the uses of one generic type apart.
  static uint64_t FieldsKey(capnp::Schema type) {
    Mixer mixer;
    if (!type.getProto().isStruct()) return mixer.value();
    for (const auto field : type.asStruct().getFields()) {
      if (field.getProto().isSlot()) mixer.Mix(KeyOf(field.getType()));
    }
    return mixer.value();
  }

  static void Write(const Found& found, schema::Node::Builder to) {
    const schema::Node::Reader from = found.type.getProto();
    to.setId(found.id);
    to.setDisplayName(from.getDisplayName());
    to.setScopeId(found.parent_id);
    if (from.isStruct()) {
      WriteStruct(found, to.initStruct());
      return;
    }
    const auto enumerants = from.getEnum().getEnumerants();
    auto copies = to.initEnum().initEnumerants(enumerants.size());
    for (unsigned i = 0; i < enumerants.size(); ++i) {
      copies[i].setName(enumerants[i].getName());
      copies[i].setCodeOrder(enumerants[i].getCodeOrder());
    }
  }

  static void WriteStruct(const Found& found, schema::Node::Struct::Builder to) {
    const schema::Node::Struct::Reader from = found.type.getProto().getStruct();
    to.setDataWordCount(from.getDataWordCount());
    to.setPointerCount(from.getPointerCount());
    to.setPreferredListEncoding(from.getPreferredListEncoding());
    to.setIsGroup(from.getIsGroup());
    to.setDiscriminantCount(from.getDiscriminantCount());
    to.setDiscriminantOffset(from.getDiscriminantOffset());
    const auto fields = found.type.asStruct().getFields();
    auto copies = to.initFields(fields.size());
    for (unsigned i = 0; i < fields.size(); ++i) WriteField(found, fields[i], copies[i]);
  }

  static void WriteField(const Found& parent, capnp::StructSchema::Field field, schema::Field::Builder to) {
    const schema::Field::Reader from = field.getProto();
    to.setName(from.getName());
    to.setCodeOrder(from.getCodeOrder());
    to.setDiscriminantValue(from.getDiscriminantValue());
    if (from.getOrdinal().isExplicit()) to.getOrdinal().setExplicit(from.getOrdinal().getExplicit());
    if (from.isGroup()) {
      to.initGroup().setTypeId(GroupId(parent, field));
      return;
    }
    auto slot = to.initSlot();
    slot.setOffset(from.getSlot().getOffset());
    WriteType(field.getType(), slot.initType());
    WriteDefault(field.getType(), from.getSlot().getDefaultValue(), slot);
  }

  static void WriteDefault(capnp::Type type, schema::Value::Reader value, schema::Field::Slot::Builder slot) {
    switch (type.which()) {
      case schema::Type::TEXT:
        return slot.initDefaultValue().setText("");
      case schema::Type::DATA:
        return slot.initDefaultValue().setData({});
      case schema::Type::LIST:
        slot.initDefaultValue().initList();
        return;
      case schema::Type::STRUCT:
        slot.initDefaultValue().initStruct();
        return;
      case schema::Type::INTERFACE:
        return slot.initDefaultValue().setInterface();
      case schema::Type::ANY_POINTER:
        slot.initDefaultValue().initAnyPointer();
        return;
      default:
        slot.setDefaultValue(value);
    }
  }

  static void WriteType(capnp::Type type, schema::Type::Builder to) {
    switch (type.which()) {
      case schema::Type::VOID:
        return to.setVoid();
      case schema::Type::BOOL:
        return to.setBool();
      case schema::Type::INT8:
        return to.setInt8();
      case schema::Type::INT16:
        return to.setInt16();
      case schema::Type::INT32:
        return to.setInt32();
      case schema::Type::INT64:
        return to.setInt64();
      case schema::Type::UINT8:
        return to.setUint8();
      case schema::Type::UINT16:
        return to.setUint16();
      case schema::Type::UINT32:
        return to.setUint32();
      case schema::Type::UINT64:
        return to.setUint64();
      case schema::Type::FLOAT32:
        return to.setFloat32();
      case schema::Type::FLOAT64:
        return to.setFloat64();
      case schema::Type::TEXT:
        return to.setText();
      case schema::Type::DATA:
        return to.setData();
      case schema::Type::LIST:
        return WriteType(type.asList().getElementType(), to.initList().initElementType());
      case schema::Type::ENUM:
        return to.initEnum().setTypeId(type.asEnum().getProto().getId());
      case schema::Type::STRUCT:
        return to.initStruct().setTypeId(IdOf(type.asStruct()));
      case schema::Type::INTERFACE:
        return to.initInterface().setTypeId(type.asInterface().getProto().getId());
      case schema::Type::ANY_POINTER:
        to.initAnyPointer().initUnconstrained();
        return;
    }
  }

  std::vector<Found> found_;
  absl::flat_hash_map<uint64_t, size_t> places_;  // By id.
};

}  // namespace

absl::StatusOr<std::vector<std::byte>> EncodeSchema(capnp::StructSchema schema) {
  Encoder encoder;
  SLUICE_RETURN_IF_ERROR(encoder.Collect(schema));
  capnp::MallocMessageBuilder message(kMaxSchemaWords, capnp::AllocationStrategy::FIXED_SIZE);
  encoder.Write(message.initRoot<capnp::AnyPointer>().initAs<capnp::List<schema::Node>>(encoder.size()));
  const auto segments = message.getSegmentsForOutput();
  if (segments.size() != 1) {
    return absl::ResourceExhaustedError(absl::StrCat("the schema of ", View(schema.getProto().getDisplayName()),
                                                     " leads to more than ", kMaxSchemaBytes, " bytes of types"));
  }
  const auto* const begin = reinterpret_cast<const std::byte*>(segments[0].begin());
  return std::vector<std::byte>(begin, begin + segments[0].size() * sizeof(capnp::word));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
