#include "ipc_transport/structured/internal/schema_judge.h"

#include <capnp/schema-loader.h>
#include <capnp/schema.capnp.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ipc_transport/structured/internal/schema_encoder.h"
#include "ipc_transport/structured/internal/schema_nodes.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

namespace schema = ::capnp::schema;

using Nodes = capnp::List<schema::Node>::Reader;

constexpr size_t kMaxReasonBytes = 500;

// The last results. A hash is what a peer says, so it does not suffice to know its schema again: one peer could decide
// for others.
class Cache {
 public:
  bool Find(uint64_t own_hash, uint64_t peer_hash, absl::Span<const std::byte> peer_bytes, absl::Status* result)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    for (const Entry& entry : entries_) {
      if (entry.own_hash == own_hash && entry.peer_hash == peer_hash &&
          peer_bytes == absl::MakeSpan(entry.peer_bytes)) {
        *result = entry.result;
        return true;
      }
    }
    return false;
  }

  void Add(uint64_t own_hash, uint64_t peer_hash, absl::Span<const std::byte> peer_bytes, const absl::Status& result)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    entries_.push_back({own_hash, peer_hash, {peer_bytes.begin(), peer_bytes.end()}, result});
    bytes_ += peer_bytes.size();
    while (entries_.size() > kMaxEntries || bytes_ > kMaxBytes) {
      bytes_ -= entries_.front().peer_bytes.size();
      entries_.pop_front();
    }
  }

 private:
  static constexpr size_t kMaxEntries = 64;
  static constexpr size_t kMaxBytes = 4 * kMaxSchemaBytes;

  struct Entry {
    uint64_t own_hash;
    uint64_t peer_hash;
    std::vector<std::byte> peer_bytes;
    absl::Status result;
  };

  Mutex mutex_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Loads one schema behind the other; where a type is in both, the loader compares. Empty if it has no objection.
std::string Load(std::initializer_list<Nodes> schemas) {
  try {
    capnp::SchemaLoader loader;
    for (const Nodes& nodes : schemas) {
      for (const schema::Node::Reader node : nodes) loader.load(node);
    }
  } catch (const kj::Exception& error) {
    std::string reason = error.getDescription().cStr();
    for (kj::Maybe<const kj::Exception::Context&> next = error.getContext(); next != nullptr;) {
      KJ_IF_MAYBE (context, next) {
        absl::StrAppend(&reason, ", ", context->description.cStr());
        if (context->next == nullptr) break;
        KJ_IF_MAYBE (outer, context->next) next = **outer;
      }
    }
    return absl::CHexEscape(absl::string_view(reason).substr(0, kMaxReasonBytes));
  }
  return "";
}

using NodesById = absl::flat_hash_map<uint64_t, schema::Node::Reader>;

NodesById Index(Nodes nodes) {
  NodesById by_id;
  for (const schema::Node::Reader node : nodes) by_id.emplace(node.getId(), node);
  return by_id;
}

bool AreSame(schema::Type::Reader one, schema::Type::Reader other) {
  if (one.which() != other.which()) return false;
  if (one.isList()) return AreSame(one.getList().getElementType(), other.getList().getElementType());
  if (one.isStruct()) return one.getStruct().getTypeId() == other.getStruct().getTypeId();
  if (one.isEnum()) return one.getEnum().getTypeId() == other.getEnum().getTypeId();
  if (one.isInterface()) return one.getInterface().getTypeId() == other.getInterface().getTypeId();
  return true;
}

// Of lists whose elements became structs: whether the loader is to decide.
bool MayBecomeStructs(schema::Type::Reader element) {
  // Readers do not read bools as structs. Of lists the loader makes up structs to compare, and then structs for what
  // those hold, without end for a struct that holds a list of its own kind.
  return !element.isBool() && !element.isList();
}

std::string CompareTypes(schema::Type::Reader one, schema::Type::Reader other) {
  while (one.isList() && other.isList()) {
    one = one.getList().getElementType();
    other = other.getList().getElementType();
    if ((one.isStruct() && !other.isStruct() && !MayBecomeStructs(other)) ||
        (other.isStruct() && !one.isStruct() && !MayBecomeStructs(one))) {
      return "a list of bools or lists became one of structs";
    }
  }
  return "";
}

// A field that became a group: the group is new, and its first field is the old one.
std::string CompareWithGroup(schema::Type::Reader type, uint64_t group_id, const NodesById& with_group,
                             const NodesById& without) {
  while (true) {
    const auto fields = with_group.at(group_id).getStruct().getFields();
    if (without.contains(group_id) || fields.size() == 0) break;
    if (fields[0].isSlot()) {
      if (!AreSame(type, fields[0].getSlot().getType())) break;
      return "";
    }
    group_id = fields[0].getGroup().getTypeId();
  }
  return "a field became a group that does not begin with it";
}

std::string CompareFields(schema::Field::Reader own, schema::Field::Reader peer, const NodesById& own_nodes,
                          const NodesById& peer_nodes) {
  if (own.isSlot() && peer.isSlot()) return CompareTypes(own.getSlot().getType(), peer.getSlot().getType());
  if (own.isSlot()) {
    return CompareWithGroup(own.getSlot().getType(), peer.getGroup().getTypeId(), peer_nodes, own_nodes);
  }
  if (peer.isSlot()) {
    return CompareWithGroup(peer.getSlot().getType(), own.getGroup().getTypeId(), own_nodes, peer_nodes);
  }
  return "";
}

// What the loader does not look at, or relies on. Empty if there is nothing.
std::string Compare(Nodes own, Nodes peer) {
  if (own[0].getId() != peer[0].getId()) return "the arguments of the generic type differ";
  const NodesById own_nodes = Index(own);
  const NodesById peer_nodes = Index(peer);
  for (const auto& [id, node] : own_nodes) {
    const auto found = peer_nodes.find(id);
    if (found == peer_nodes.end()) continue;
    const std::string where = absl::StrCat(" in ", absl::CHexEscape(node.getDisplayName().cStr()));
    // Each group has one parent, in both schemas the same, so groups have no cycles in both together.
    if (found->second.which() != node.which() || found->second.getScopeId() != node.getScopeId()) {
      return absl::StrCat("the kind of type was changed", where);
    }
    if (!node.isStruct()) continue;
    const auto fields = node.getStruct().getFields();
    const auto others = found->second.getStruct().getFields();
    for (unsigned i = 0; i < std::min(fields.size(), others.size()); ++i) {
      const std::string reason = CompareFields(fields[i], others[i], own_nodes, peer_nodes);
      if (!reason.empty()) return absl::StrCat(reason, ": ", absl::CHexEscape(fields[i].getName().cStr()), where);
    }
  }
  return "";
}

absl::Status Judge(const SchemaIdentity& own, const SchemaRecord& peer, absl::Span<const std::byte> peer_bytes) {
  SLUICE_ASSIGN_OR_RETURN(const SchemaNodes peer_nodes, SchemaNodes::Parse(peer_bytes));
  if (const std::string reason = Load({peer_nodes.nodes()}); !reason.empty()) {
    return absl::DataLossError(absl::StrCat("the peer described its schema wrongly: ", reason));
  }
  SLUICE_ASSIGN_OR_RETURN(const std::vector<std::byte> own_bytes, EncodeSchema(own.schema));
  SLUICE_ASSIGN_OR_RETURN(const SchemaNodes own_nodes, SchemaNodes::Parse(own_bytes));
  std::string reason = Compare(own_nodes.nodes(), peer_nodes.nodes());
  // In both orders, since the loader keeps the newer: both ends judge alike.
  if (reason.empty()) reason = Load({own_nodes.nodes(), peer_nodes.nodes()});
  if (reason.empty()) reason = Load({peer_nodes.nodes(), own_nodes.nodes()});
  if (reason.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(DescribeDifference(own, peer), ", and they do not fit: ", reason));
}

}  // namespace

absl::Status JudgeSchemas(const SchemaIdentity& own, const SchemaRecord& peer, absl::Span<const std::byte> peer_bytes) {
  static Cache& cache = *new Cache;
  absl::Status result;
  if (cache.Find(own.layout_hash, peer.layout_hash, peer_bytes, &result)) return result;
  result = Judge(own, peer, peer_bytes);
  if (!absl::IsDataLoss(result)) cache.Add(own.layout_hash, peer.layout_hash, peer_bytes, result);
  return result;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
