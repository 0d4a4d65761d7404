#include "ipc_transport/structured/internal/schema_nodes.h"

#include <capnp/any.h>
#include <capnp/message.h>
#include <kj/exception.h>

#include <cstring>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

namespace schema = ::capnp::schema;

// Each node is read some times, and copied by the loaders.
constexpr uint64_t kTraversalWords = 16 * kMaxSchemaBytes / sizeof(capnp::word);
constexpr int kNestingLimit = 64;
// No struct is larger: 65535 words.
constexpr uint32_t kMaxOffset = 65535 * 64;

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the peer described its schema wrongly: ", what));
}

class Checker {
 public:
  // Reads all names: the loader reads them while it reports another error, and fails on a malformed one without end.
  absl::Status Check(capnp::List<schema::Node>::Reader nodes) {
    if (nodes.size() == 0) return Malformed("no type");
    for (const schema::Node::Reader node : nodes) {
      if (!node.isStruct() && !node.isEnum()) return Malformed("neither a struct nor an enum");
      if (node.getIsGeneric() || node.getParameters().size() != 0 || node.getNestedNodes().size() != 0 ||
          node.getAnnotations().size() != 0) {
        return Malformed("generic types, nested types or annotations");
      }
      if (!nodes_.try_emplace(node.getId(), node).second) return Malformed("one type twice");
    }
    if (!nodes[0].isStruct() || nodes[0].getStruct().getIsGroup()) return Malformed("the first type is no struct");
    for (const schema::Node::Reader node : nodes) {
      node.getDisplayName();
      if (node.isEnum()) SLUICE_RETURN_IF_ERROR(CheckEnum(node));
      if (node.isStruct()) SLUICE_RETURN_IF_ERROR(CheckStruct(node));
    }
    // As many were met, each once.
    if (groups_met_ != groups_.size()) return Malformed("a group before its parent");
    return absl::OkStatus();
  }

 private:
  struct Group {
    uint64_t parent_id;
    int depth;
  };

  absl::Status CheckEnum(schema::Node::Reader node) {
    if (node.getScopeId() != 0) return Malformed("an enum within a type");
    for (const schema::Enumerant::Reader enumerant : node.getEnum().getEnumerants()) enumerant.getName();
    return absl::OkStatus();
  }

  absl::Status CheckStruct(schema::Node::Reader node) {
    const schema::Node::Struct::Reader type = node.getStruct();
    int depth = 0;
    const auto group = groups_.find(node.getId());
    if (type.getIsGroup() != (group != groups_.end())) return Malformed("a group that is no field of its parent");
    if (type.getIsGroup()) {
      ++groups_met_;
      depth = group->second.depth;
      if (depth > kMaxGroupDepth) return Malformed("groups nested too deeply");
      const schema::Node::Struct::Reader parent = nodes_.at(group->second.parent_id).getStruct();
      if (node.getScopeId() != group->second.parent_id || type.getDataWordCount() != parent.getDataWordCount() ||
          type.getPointerCount() != parent.getPointerCount() ||
          type.getPreferredListEncoding() != parent.getPreferredListEncoding()) {
        return Malformed("a group unlike its parent");
      }
    } else if (node.getScopeId() != 0) {
      return Malformed("a struct within a type");
    }
    unsigned members = 0;
    for (const schema::Field::Reader field : type.getFields()) {
      field.getName();
      if (field.getDiscriminantValue() != schema::Field::NO_DISCRIMINANT) ++members;
      if (field.isGroup()) {
        const auto [place, is_new] = groups_.emplace(field.getGroup().getTypeId(), Group{node.getId(), depth + 1});
        if (!is_new) return Malformed("one group in two places");
      } else {
        SLUICE_RETURN_IF_ERROR(CheckSlot(field));
      }
    }
    if (members != type.getDiscriminantCount()) return Malformed("a union of another number of members");
    if (type.getDiscriminantOffset() > kMaxOffset) return Malformed("a union outside its struct");
    return absl::OkStatus();
  }

  absl::Status CheckSlot(schema::Field::Reader field) {
    if (!field.isSlot()) return Malformed("a field of unknown kind");
    if (field.getSlot().getOffset() > kMaxOffset) return Malformed("a field outside its struct");
    field.getSlot().getDefaultValue();
    return CheckType(field.getSlot().getType());
  }

  // The reader limits the depth.
  absl::Status CheckType(schema::Type::Reader type) {
    if (type.isList()) return CheckType(type.getList().getElementType());
    if (type.isStruct()) return CheckReference(type.getStruct().getTypeId(), type.getStruct().getBrand(), true);
    if (type.isEnum()) return CheckReference(type.getEnum().getTypeId(), type.getEnum().getBrand(), false);
    if (type.isInterface() && type.getInterface().getBrand().getScopes().size() != 0) return Malformed("a brand");
    if (type.isAnyPointer() && !type.getAnyPointer().isUnconstrained()) return Malformed("a parameter");
    if (type.which() > schema::Type::ANY_POINTER) return Malformed("a field of unknown type");
    return absl::OkStatus();
  }

  absl::Status CheckReference(uint64_t id, schema::Brand::Reader brand, bool is_struct) {
    if (brand.getScopes().size() != 0) return Malformed("a brand");
    const auto node = nodes_.find(id);
    if (node == nodes_.end()) return Malformed("a type that is not there");
    if (node->second.isStruct() != is_struct || (is_struct && node->second.getStruct().getIsGroup())) {
      return Malformed("a type of another kind");
    }
    return absl::OkStatus();
  }

  absl::flat_hash_map<uint64_t, schema::Node::Reader> nodes_;
  absl::flat_hash_map<uint64_t, Group> groups_;  // Those that were named as fields.
  size_t groups_met_ = 0;
};

}  // namespace

struct SchemaNodes::Message {
  explicit Message(absl::Span<const std::byte> bytes)
      : words(std::make_unique<capnp::word[]>(bytes.size() / sizeof(capnp::word))),
        segment(kj::arrayPtr(words.get(), bytes.size() / sizeof(capnp::word))),
        reader(kj::arrayPtr(&segment, 1), {.traversalLimitInWords = kTraversalWords, .nestingLimit = kNestingLimit}) {
    std::memcpy(words.get(), bytes.data(), bytes.size());
  }

  const std::unique_ptr<capnp::word[]> words;
  const kj::ArrayPtr<const capnp::word> segment;
  capnp::SegmentArrayMessageReader reader;
};

SchemaNodes::SchemaNodes() = default;
SchemaNodes::SchemaNodes(SchemaNodes&&) noexcept = default;
SchemaNodes& SchemaNodes::operator=(SchemaNodes&&) noexcept = default;
SchemaNodes::~SchemaNodes() = default;

absl::StatusOr<SchemaNodes> SchemaNodes::Parse(absl::Span<const std::byte> bytes) {
  if (bytes.empty() || bytes.size() > kMaxSchemaBytes || bytes.size() % sizeof(capnp::word) != 0) {
    return Malformed(absl::StrCat(bytes.size(), " bytes"));
  }
  SchemaNodes result;
  result.message_ = std::make_unique<Message>(bytes);
  Checker checker;
  try {
    result.nodes_ = result.message_->reader.getRoot<capnp::AnyPointer>().getAs<capnp::List<schema::Node>>();
    SLUICE_RETURN_IF_ERROR(checker.Check(result.nodes_));
  } catch (const kj::Exception& error) {
    return Malformed(absl::CHexEscape(error.getDescription().cStr()));
  }
  return result;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
