#include "ipc_transport/structured/internal/schema_nodes.h"

#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/schema.capnp.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_encoder.h"
#include "ipc_transport/structured/testing/schemas.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

namespace schema = ::capnp::schema;

using ::testing::HasSubstr;
using testing::IsOk;
using testing::ParsedSchema;
using testing::StatusIs;

using Nodes = capnp::List<schema::Node>::Builder;

std::vector<std::byte> BytesOf(capnp::MessageBuilder& message) {
  const auto segments = message.getSegmentsForOutput();
  EXPECT_EQ(segments.size(), 1u);
  const auto* const begin = reinterpret_cast<const std::byte*>(segments[0].begin());
  return std::vector<std::byte>(begin, begin + segments[0].size() * sizeof(capnp::word));
}

// What becomes of honest nodes (T, its group T.g, that one's group T.g.h, T.I, T.E) that `change` was applied to.
absl::Status ParseChanged(const std::function<void(Nodes)>& change) {
  const ParsedSchema type = ParsedSchema::OfFields(
      "a @0 :UInt32; g :group { b @1 :Text; h :group { c @2 :Bool; } } i @3 :I; e @4 :E; "
      "union { x @5 :Text; y @6 :List(I); } struct I { n @0 :Text; } enum E { v @0; }");
  const absl::StatusOr<std::vector<std::byte>> bytes = EncodeSchema(type.type());
  EXPECT_THAT(bytes, IsOk());
  const absl::StatusOr<SchemaNodes> nodes = SchemaNodes::Parse(*bytes);
  EXPECT_THAT(nodes, IsOk());
  capnp::MallocMessageBuilder message(10'000);
  message.getRoot<capnp::AnyPointer>().setAs<capnp::List<schema::Node>>(nodes->nodes());
  change(message.getRoot<capnp::AnyPointer>().getAs<capnp::List<schema::Node>>());
  return SchemaNodes::Parse(BytesOf(message)).status();
}

unsigned PlaceOf(Nodes nodes, const std::string& name) {
  for (unsigned i = 0; i < nodes.size(); ++i) {
    if (nodes[i].getDisplayName().asReader() == ("test.capnp:" + name).c_str()) return i;
  }
  ADD_FAILURE() << name;
  return 0;
}

TEST(SchemaNodesTest, TakesHonestNodes) {
  EXPECT_THAT(ParseChanged([](Nodes) {}), IsOk());
  EXPECT_THAT(ParseChanged([](Nodes nodes) { nodes[0].getStruct().getFields()[0].setName("other"); }), IsOk());
}

TEST(SchemaNodesTest, RefusesWhatIsNoMessage) {
  EXPECT_THAT(SchemaNodes::Parse({}), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(SchemaNodes::Parse(std::vector<std::byte>(7)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(SchemaNodes::Parse(std::vector<std::byte>(8)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no type")));
  EXPECT_THAT(SchemaNodes::Parse(std::vector<std::byte>(kMaxSchemaBytes + 8)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("262152 bytes")));
}

// M6: each would let Cap'n Proto's loader run beyond an array, recurse without end, or grow without bound.
TEST(SchemaNodesTest, RefusesWhatTheLoaderDoesNotSurvive) {
  const auto expect_malformed = [](const std::string& what, const std::function<void(Nodes)>& change) {
    EXPECT_THAT(ParseChanged(change), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(what)));
  };
  expect_malformed("another number of members", [](Nodes nodes) {
    for (auto field : nodes[0].getStruct().getFields()) field.setDiscriminantValue(schema::Field::NO_DISCRIMINANT);
  });
  expect_malformed("another number of members", [](Nodes nodes) { nodes[0].getStruct().setDiscriminantCount(3); });
  expect_malformed("one group in two places", [](Nodes nodes) {
    nodes[PlaceOf(nodes, "T.g.h")].getStruct().initFields(1)[0].initGroup().setTypeId(
        nodes[PlaceOf(nodes, "T.g")].getId());
  });
  // Around in a circle, and never reached from the root.
  expect_malformed("a group that is no field of its parent", [](Nodes nodes) {
    nodes[0].getStruct().getFields()[1].initSlot().initType().setText();
    nodes[PlaceOf(nodes, "T.g.h")].getStruct().initFields(1)[0].initGroup().setTypeId(
        nodes[PlaceOf(nodes, "T.g")].getId());
    nodes[PlaceOf(nodes, "T.g")].setScopeId(nodes[PlaceOf(nodes, "T.g.h")].getId());
  });
  expect_malformed("a group before its parent", [](Nodes nodes) {
    nodes[PlaceOf(nodes, "T.I")].getStruct().initFields(1)[0].initGroup().setTypeId(nodes[0].getId());
  });
  expect_malformed("a group before its parent", [](Nodes nodes) {
    nodes[PlaceOf(nodes, "T.I")].getStruct().initFields(1)[0].initGroup().setTypeId(77);
  });
  expect_malformed("unlike its parent",
                   [](Nodes nodes) { nodes[PlaceOf(nodes, "T.g")].getStruct().setDataWordCount(60'000); });
  expect_malformed("unlike its parent", [](Nodes nodes) { nodes[PlaceOf(nodes, "T.g")].setScopeId(77); });
  expect_malformed("within a type", [](Nodes nodes) { nodes[PlaceOf(nodes, "T.I")].setScopeId(77); });
  expect_malformed("outside its struct",
                   [](Nodes nodes) { nodes[0].getStruct().getFields()[0].getSlot().setOffset(0xffffffff); });
  expect_malformed("outside its struct", [](Nodes nodes) { nodes[0].getStruct().setDiscriminantOffset(0x0fffffff); });
}

// M6
TEST(SchemaNodesTest, RefusesMalformedNames) {
  const ParsedSchema type = ParsedSchema::OfFields("field @0 :E; enum E { value @0; }");
  ASSERT_OK_AND_ASSIGN(const std::vector<std::byte> honest, EncodeSchema(type.type()));
  for (const std::string name : {"test.capnp:T", "test.capnp:T.E", "field", "value"}) {
    // The zero that ends it.
    const auto found = std::search(honest.begin(), honest.end(), reinterpret_cast<const std::byte*>(name.c_str()),
                                   reinterpret_cast<const std::byte*>(name.c_str() + name.size() + 1));
    ASSERT_NE(found, honest.end());
    std::vector<std::byte> bytes = honest;
    bytes[found - honest.begin() + name.size()] = std::byte{1};
    EXPECT_THAT(SchemaNodes::Parse(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("wrongly"))) << name;
  }
}

TEST(SchemaNodesTest, RefusesWhatNoEncoderWrites) {
  const auto expect_malformed = [](const std::string& what, const std::function<void(Nodes)>& change) {
    EXPECT_THAT(ParseChanged(change), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(what)));
  };
  expect_malformed("one type twice", [](Nodes nodes) { nodes[1].setId(nodes[0].getId()); });
  expect_malformed("neither a struct nor an enum", [](Nodes nodes) { nodes[1].initConst(); });
  expect_malformed("generic types", [](Nodes nodes) { nodes[0].initParameters(1); });
  expect_malformed("generic types", [](Nodes nodes) { nodes[0].initAnnotations(1); });
  expect_malformed("the first type is no struct", [](Nodes nodes) { nodes[0].initEnum(); });
  expect_malformed("a type that is not there", [](Nodes nodes) { nodes[PlaceOf(nodes, "T.I")].setId(77); });
  expect_malformed("a type of another kind", [](Nodes nodes) { nodes[PlaceOf(nodes, "T.E")].initStruct(); });
  expect_malformed("a brand", [](Nodes nodes) {
    for (auto field : nodes[0].getStruct().getFields()) {
      if (field.getName().asReader() == "i") field.getSlot().getType().getStruct().initBrand().initScopes(1);
    }
  });
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
