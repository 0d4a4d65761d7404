#include "ipc_transport/structured/internal/schema_encoder.h"

#include <capnp/schema.capnp.h>

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/schema_nodes.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/schemas.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::ParsedSchema;
using testing::StatusIs;

std::vector<std::byte> Encode(const std::string& fields) {
  const ParsedSchema schema = ParsedSchema::OfFields(fields);
  absl::StatusOr<std::vector<std::byte>> bytes = EncodeSchema(schema.type());
  EXPECT_THAT(bytes, IsOk());
  return bytes.ok() ? *bytes : std::vector<std::byte>();
}

// The types' names, without the path, in order; empty if they do not parse.
std::vector<std::string> NamesIn(const std::vector<std::byte>& bytes) {
  std::vector<std::string> names;
  const absl::StatusOr<SchemaNodes> nodes = SchemaNodes::Parse(bytes);
  EXPECT_THAT(nodes, IsOk());
  if (!nodes.ok()) return names;
  for (const auto node : nodes->nodes()) {
    const std::string name = node.getDisplayName().cStr();
    names.push_back(name.substr(name.find(':') + 1));
  }
  return names;
}

TEST(SchemaEncoderTest, TheTypeItselfComesFirst) {
  ASSERT_OK_AND_ASSIGN(const auto bytes, EncodeSchema(capnp::Schema::from<sluice_test::Parcel>()));
  ASSERT_OK_AND_ASSIGN(const SchemaNodes nodes, SchemaNodes::Parse(bytes));
  ASSERT_EQ(nodes.nodes().size(), 1u);
  const auto node = nodes.nodes()[0];
  EXPECT_EQ(node.getId(), capnp::typeId<sluice_test::Parcel>());
  EXPECT_EQ(node.getStruct().getDiscriminantCount(), 3u);
  EXPECT_EQ(node.getStruct().getFields()[1].getName(), "parts");
  EXPECT_LT(bytes.size(), 2000u);
}

TEST(SchemaEncoderTest, WhatTheTypeLeadsToFollows) {
  EXPECT_THAT(NamesIn(Encode("a @0 :List(List(A)); e @1 :E; g :group { b @2 :B; }"
                             "struct A { t @0 :T; } struct B { e @0 :E; } struct Unused {} enum E { x @0; }")),
              ElementsAre("T", "T.A", "T.E", "T.g", "T.B"));
}

TEST(SchemaEncoderTest, EveryKindOfFieldIsWritten) {
  EXPECT_THAT(
      NamesIn(Encode("v @0 :Void; b @1 :Bool = true; i @2 :Int8 = 1; j @3 :Int16; k @4 :Int32; l @5 :Int64 = -3;"
                     "o @6 :UInt8; p @7 :UInt16; q @8 :UInt32; r @9 :UInt64; s @10 :Float32 = 0.5; u @11 :Float64;"
                     "t @12 :Text = \"text\"; d @13 :Data = \"data\"; e @14 :E = y; a @15 :AnyPointer;"
                     "n @16 :List(Int8) = [1, 2]; h @17 :T = (v = void); c @18 :I;"
                     "w :union { x @19 :UInt8; y :group { z @20 :Text; union { m @21 :Void; f @22 :Text; } } }"
                     "enum E { x @0; y @1; } interface I {}")),
      ElementsAre("T", "T.E", "T.w", "T.w.y"));
}

// Its arguments are in its id, and nowhere else.
TEST(SchemaEncoderTest, AGenericTypeIsWrittenOutForEachOfItsUses) {
  const auto bytes = Encode(
      "a @0 :Box(Text); b @1 :Box(Data); c @2 :Box(Text); d @3 :List(Box(Box(Data))); e @4 :Box(AnyPointer); f @5 :Box;"
      "struct Box(X) { v @0 :X; g :group { w @1 :X; } }");
  EXPECT_THAT(NamesIn(bytes),
              ElementsAre("T", "T.Box", "T.Box", "T.Box", "T.Box", "T.Box.g", "T.Box.g", "T.Box.g", "T.Box.g"));
  ASSERT_OK_AND_ASSIGN(const SchemaNodes nodes, SchemaNodes::Parse(bytes));
  const auto fields = nodes.nodes()[0].getStruct().getFields();
  const auto id = [&](unsigned i) { return fields[i].getSlot().getType().getStruct().getTypeId(); };
  EXPECT_EQ(id(0), id(2));
  EXPECT_NE(id(0), id(1));
  EXPECT_EQ(id(4), id(5));
  // The parameter's place is taken by the argument.
  EXPECT_TRUE(nodes.nodes()[1].getStruct().getFields()[0].getSlot().getType().isText());
  EXPECT_TRUE(nodes.nodes()[2].getStruct().getFields()[0].getSlot().getType().isData());
}

TEST(SchemaEncoderTest, WhatIsDeclaredWithinAGenericTypeHasItsArguments) {
  const auto bytes = Encode("a @0 :Box(Text).In; b @1 :Box(Data).In; struct Box(X) { struct In { v @0 :X; } }");
  EXPECT_THAT(NamesIn(bytes), ElementsAre("T", "T.Box.In", "T.Box.In"));
}

TEST(SchemaEncoderTest, UsesThatCannotBeToldApartAreRefused) {
  const ParsedSchema schema = ParsedSchema::OfFields(
      "a @0 :Box(Text).Mid.In; b @1 :Box(Data).Mid.In; struct Box(X) { struct Mid { struct In { v @0 :X; } } }");
  EXPECT_THAT(EncodeSchema(schema.type()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("T.Box.Mid.In is nested too deeply")));
}

TEST(SchemaEncoderTest, AGenericTypeWithoutEndIsRefused) {
  const ParsedSchema schema =
      ParsedSchema::OfFields("a @0 :Nest(Text); struct Nest(X) { v @0 :X; next @1 :Nest(Nest(X)); }");
  EXPECT_THAT(EncodeSchema(schema.type()),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("more than 1024 types")));
}

TEST(SchemaEncoderTest, TooManyTypesAreRefused) {
  std::string fields;
  for (int i = 0; i < 3000; ++i) {
    absl::StrAppend(&fields, "aFieldOfALongName", i, " @", i, " :Text; # ", std::string(50, 'x'), "\n");
  }
  const ParsedSchema schema = ParsedSchema::OfFields(fields);
  EXPECT_THAT(EncodeSchema(schema.type()),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("more than 262144 bytes")));
}

TEST(SchemaEncoderTest, GroupsWithinTooManyGroupsAreRefused) {
  const auto nested = [](int depth) {
    std::string fields = "x @0 :UInt8;";
    for (int i = 0; i < depth; ++i) fields = absl::StrCat("g", i, " :group { ", fields, " }");
    const ParsedSchema schema = ParsedSchema::OfFields(fields);
    return EncodeSchema(schema.type());
  };
  EXPECT_THAT(nested(kMaxGroupDepth), IsOk());
  EXPECT_THAT(nested(kMaxGroupDepth + 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("within more than 32 groups")));
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
