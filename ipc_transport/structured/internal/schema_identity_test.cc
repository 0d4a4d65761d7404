#include "ipc_transport/structured/internal/schema_identity.h"

#include <capnp/schema-parser.h>
#include <kj/filesystem.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

// Of the struct T in a schema file with this text.
SchemaIdentity Parse(const std::string& text, const std::string& file = "test.capnp") {
  const kj::Own<const kj::Directory> folder = kj::newInMemoryDirectory(kj::nullClock());
  const kj::Path path(file.c_str());
  folder->openFile(path, kj::WriteMode::CREATE)->writeAll(absl::StrCat("@0xa93fc509624c72d9;\n", text).c_str());
  capnp::SchemaParser parser;
  return IdentityOf(parser.parseFromDirectory(*folder, path.clone(), nullptr).getNested("T").asStruct());
}

SchemaIdentity ParseFields(const std::string& fields) {
  return Parse(absl::StrCat("struct T @0xdd7b92bd8fc037a2 {", fields, "}"));
}

SchemaRecord AsPeer(const SchemaIdentity& identity) {
  return {.min_version = kRecordVersion,
          .max_version = kRecordVersion,
          .type_id = identity.type_id,
          .layout_hash = identity.layout_hash,
          .name = identity.name};
}

constexpr char kFields[] = "a @0 :UInt32; b @1 :Text; c @2 :List(Int16);";

TEST(SchemaIdentityTest, IsThatOfTheGeneratedType) {
  const SchemaIdentity& identity = IdentityOf<sluice_test::Parcel>();
  EXPECT_EQ(identity.type_id, capnp::typeId<sluice_test::Parcel>());
  EXPECT_THAT(identity.name, HasSubstr("parcel.capnp:Parcel"));
  EXPECT_EQ(&identity, &IdentityOf<sluice_test::Parcel>());
  EXPECT_EQ(identity.layout_hash, IdentityOf(capnp::Schema::from<sluice_test::Parcel>()).layout_hash);
  EXPECT_NE(identity.layout_hash, IdentityOf<sluice_test::Letter>().layout_hash);
}

// Both ends compare it, so it is part of the protocol: a change needs another record version.
TEST(SchemaIdentityTest, IsTheSameInEveryBuild) { EXPECT_EQ(ParseFields(kFields).layout_hash, 3314030771318808271u); }

TEST(SchemaIdentityTest, NamesCommentsOrderAndPathMeanNothing) {
  const SchemaIdentity identity = ParseFields(kFields);
  for (const char* const same : {
           "x @0 :UInt32; y @1 :Text; z @2 :List(Int16);",
           "c @2 :List(Int16); a @0 :UInt32; b @1 :Text;",
           "# Of what it is.\n a @0 :UInt32; b @1 :Text; c @2 :List(Int16); struct Other {} const k :UInt8 = 3;",
       }) {
    const SchemaIdentity other = ParseFields(same);
    EXPECT_EQ(other.layout_hash, identity.layout_hash) << same;
    EXPECT_OK(CheckPeer(identity, AsPeer(other)));
  }
  const SchemaIdentity moved = Parse(absl::StrCat("struct T @0xdd7b92bd8fc037a2 {", kFields, "}"), "other.capnp");
  EXPECT_NE(moved.name, identity.name);
  EXPECT_OK(CheckPeer(identity, AsPeer(moved)));
}

TEST(SchemaIdentityTest, EveryDifferenceOfLayoutTells) {
  const SchemaIdentity identity = ParseFields(kFields);
  for (const char* const different : {
           "a @0 :UInt32; b @1 :Text;",                                  // One less.
           "a @0 :UInt32; b @1 :Text; c @2 :List(Int16); d @3 :Bool;",   // One more.
           "a @0 :Int32; b @1 :Text; c @2 :List(Int16);",                // Another type of one size.
           "a @0 :UInt64; b @1 :Text; c @2 :List(Int16);",               // Another size.
           "a @0 :UInt32 = 1; b @1 :Text; c @2 :List(Int16);",           // Another default.
           "a @0 :UInt32; b @1 :Text = \"x\"; c @2 :List(Int16);",       // The same, of a pointer.
           "a @0 :UInt32; b @1 :Data; c @2 :List(Int16);",               // Another pointer.
           "a @0 :UInt32; b @1 :Text; c @2 :List(UInt16);",              // Another element.
           "a @0 :UInt32; b @1 :Text; c @2 :List(List(Int16));",         // The same, nested.
           "b @0 :Text; a @1 :UInt32; c @2 :List(Int16);",               // Another order of numbers.
           "a @0 :UInt32; union { b @1 :Text; c @2 :List(Int16); }",     // In a union.
           "g :group { a @0 :UInt32; } b @1 :Text; c @2 :List(Int16);",  // In a group.
       }) {
    const SchemaIdentity other = ParseFields(different);
    EXPECT_EQ(other.type_id, identity.type_id);
    EXPECT_NE(other.layout_hash, identity.layout_hash) << different;
    EXPECT_THAT(CheckPeer(identity, AsPeer(other)),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("build both sides from one version")));
  }
}

TEST(SchemaIdentityTest, LooksIntoTheTypesThatItLeadsTo) {
  const auto with_inner = [](const std::string& inner) {
    return ParseFields(absl::StrCat("i @0 :I; l @1 :List(I); struct I @0x9e1197a2c1ed5d0e {", inner, "}")).layout_hash;
  };
  EXPECT_EQ(with_inner("a @0 :Text;"), with_inner("b @0 :Text;"));
  EXPECT_NE(with_inner("a @0 :Text;"), with_inner("a @0 :Data;"));
  EXPECT_NE(ParseFields("e @0 :E; enum E @0x9e1197a2c1ed5d0e { x @0; }").layout_hash,
            ParseFields("e @0 :E; enum E @0x9e1197a2c1ed5d0f { x @0; }").layout_hash);
}

TEST(SchemaIdentityTest, TypesMayLeadToThemselves) {
  EXPECT_NE(ParseFields("t @0 :T;").layout_hash, ParseFields("t @0 :List(T);").layout_hash);
  EXPECT_NE(ParseFields("o @0 :O; struct O { t @0 :T; }").layout_hash, 0u);
}

// A generic type is another one for each of its arguments, wherever it is used.
TEST(SchemaIdentityTest, LooksIntoEveryUseOfAGenericType) {
  const auto with_box = [](const std::string& fields, const std::string& box = "v @0 :X;") {
    return ParseFields(absl::StrCat(fields, "struct Box @0x9e1197a2c1ed5d0e (X) {", box, "}")).layout_hash;
  };
  const uint64_t hash = with_box("a @0 :Box(Text); b @1 :Box(Data); c @2 :Box(Text);");
  EXPECT_EQ(with_box("a @0 :Box(Text); b @1 :Box(Data); c @2 :Box(Text);"), hash);
  EXPECT_NE(with_box("a @0 :Box(Data); b @1 :Box(Data); c @2 :Box(Text);"), hash);
  EXPECT_NE(with_box("a @0 :Box(Text); b @1 :Box(Text); c @2 :Box(Text);"), hash);
  EXPECT_NE(with_box("a @0 :Box(Text); b @1 :Box(Data); c @2 :Box(Data);"), hash);  // Both were seen before.
  EXPECT_NE(with_box("a @0 :Box(Text); b @1 :Box(Data); c @2 :Box(Text);", "v @0 :Text;"), hash);
  EXPECT_NE(with_box("a @0 :List(Box(Text)); b @1 :Box(Data); c @2 :Box(Text);"), hash);
  EXPECT_NE(with_box("a @0 :Box(Box(Text)); b @1 :Box(Box(Data));"),
            with_box("a @0 :Box(Box(Text)); b @1 :Box(Box(Text));"));
  EXPECT_NE(with_box("a @0 :Box(Text); b @1 :Box(Data);", "g :group { v @0 :X; n @1 :UInt8; }"),
            with_box("a @0 :Box(Text); b @1 :Box(Text);", "g :group { v @0 :X; n @1 :UInt8; }"));
}

// Such a type has no end.
TEST(SchemaIdentityTest, GenericTypesMayLeadToEverMoreOfThemselves) {
  const auto nest = [](const std::string& argument) {
    return ParseFields(absl::StrCat("a @0 :Nest(", argument,
                                    "); struct Nest @0x9e1197a2c1ed5d0e (X) { v @0 :X; next @1 :Nest(Nest(X)); }"))
        .layout_hash;
  };
  EXPECT_EQ(nest("Text"), nest("Text"));
  EXPECT_NE(nest("Text"), nest("Data"));
}

TEST(SchemaIdentityTest, OfALongNameTheEndIsKept) {
  const std::string file = absl::StrCat(std::string(230, 'd'), ".capnp");
  const SchemaIdentity identity = Parse("struct T @0xdd7b92bd8fc037a2 {}", file);
  EXPECT_EQ(identity.name.size(), kMaxNameBytes);
  EXPECT_THAT(identity.name, ::testing::EndsWith("d.capnp:T"));
}

TEST(CheckPeerTest, LayoutsAreAnotherQuestionThanTypes) {
  const SchemaIdentity own = {.type_id = 0xabc, .layout_hash = 0x12, .name = "a.capnp:A"};
  const SchemaIdentity newer = {.type_id = 0xabc, .layout_hash = 0x34, .name = "a.capnp:A"};
  EXPECT_THAT(CheckPeerType(own, AsPeer(newer)), IsOk());
  EXPECT_THAT(CheckPeer(own, AsPeer(newer)),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("layout 0000000000000012"), HasSubstr("layout 0000000000000034"))));
}

TEST(CheckPeerTest, NamesBothTypes) {
  const SchemaIdentity own = {.type_id = 0xabc, .layout_hash = 1, .name = "a.capnp:A"};
  const SchemaIdentity other = {.type_id = 0xdef, .layout_hash = 1, .name = "b.capnp:B\n"};
  EXPECT_THAT(CheckPeer(own, AsPeer(own)), IsOk());
  EXPECT_THAT(CheckPeer(own, AsPeer(other)),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("a.capnp:A (@0x0000000000000abc)"),
                             HasSubstr("b.capnp:B\\n (@0x0000000000000def)"), HasSubstr("upgrade both ends"))));
}

TEST(CheckPeerTest, NamesBothVersions) {
  const SchemaIdentity own = {.type_id = 1, .layout_hash = 1, .name = "a.capnp:A"};
  SchemaRecord peer = AsPeer(own);
  peer.max_version = 255;
  EXPECT_THAT(CheckPeer(own, peer), IsOk());
  peer.min_version = 2;
  EXPECT_THAT(CheckPeer(own, peer), StatusIs(absl::StatusCode::kFailedPrecondition,
                                             HasSubstr("version 1 of structured channels, the peer 2 to 255")));
  peer.min_version = 0;
  peer.max_version = 0;
  EXPECT_THAT(CheckPeer(own, peer), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("0 to 0")));
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
