#include "ipc_transport/structured/internal/schema_judge.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_encoder.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/schemas.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::ParsedSchema;
using testing::StatusIs;

constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

SchemaRecord RecordOf(const SchemaIdentity& identity) {
  return {.min_version = kRecordVersion,
          .max_version = kRecordVersion,
          .type_id = identity.type_id,
          .layout_hash = identity.layout_hash,
          .name = identity.name};
}

absl::Status Judge(const ParsedSchema& own, const ParsedSchema& peer) {
  const SchemaIdentity peer_identity = IdentityOf(peer.type());
  const absl::StatusOr<std::vector<std::byte>> bytes = EncodeSchema(peer.type());
  if (!bytes.ok()) return bytes.status();
  return JudgeSchemas(IdentityOf(own.type()), RecordOf(peer_identity), *bytes);
}

// Of both ends.
absl::Status JudgeFields(const std::string& one, const std::string& other) {
  const ParsedSchema first = ParsedSchema::OfFields(one);
  const ParsedSchema second = ParsedSchema::OfFields(other);
  EXPECT_NE(IdentityOf(first.type()).layout_hash, IdentityOf(second.type()).layout_hash) << one << other;
  const absl::Status status = Judge(first, second);
  EXPECT_EQ(Judge(second, first).code(), status.code()) << one << other;
  return status;
}

// V1: an old client and a new server, and back.
TEST(SchemaJudgeTest, TakesNewerVersions) {
  constexpr char kOld[] = "a @0 :UInt32; u :union { x @1 :Text; y @2 :I; } l @3 :List(I); struct I { n @0 :UInt8; }";
  for (const char* const newer : {
           // Another field.
           "a @0 :UInt32; u :union { x @1 :Text; y @2 :I; } l @3 :List(I); z @4 :Data; struct I { n @0 :UInt8; }",
           // Another member of the union.
           "a @0 :UInt32; u :union { x @1 :Text; y @2 :I; z @4 :UInt64; } l @3 :List(I); struct I { n @0 :UInt8; }",
           // Another field of a type that the root leads to, and another name.
           "b @0 :UInt32; u :union { x @1 :Text; y @2 :I; } l @3 :List(I); struct I { n @0 :UInt8; m @1 :Text; }",
           // A new type.
           "a @0 :UInt32; u :union { x @1 :Text; y @2 :I; } l @3 :List(I); j @4 :List(J); struct I { n @0 :UInt8; }"
           "struct J { i @0 :I; g :group { k @1 :Text; } }",
           // Each type grows on one side; that is decided type by type.
           "a @0 :UInt32; u :union { x @1 :Text; y @2 :I; z @4 :UInt64; } l @3 :List(I); struct I {}",
       }) {
    EXPECT_THAT(JudgeFields(kOld, newer), IsOk()) << newer;
  }
}

TEST(SchemaJudgeTest, TakesWhatCapnProtoCallsAnUpgrade) {
  EXPECT_THAT(JudgeFields("a @0 :UInt32;", "union { a @0 :UInt32; b @1 :Text; }"), IsOk());
  EXPECT_THAT(JudgeFields("a @0 :Text;", "g :group { a @0 :Text; b @1 :UInt8; }"), IsOk());
  EXPECT_THAT(JudgeFields("l @0 :List(UInt16);", "l @0 :List(I); struct I { n @0 :UInt16; m @1 :Text; }"), IsOk());
  EXPECT_THAT(JudgeFields("a @0 :Text = \"x\";", "a @0 :Text = \"y\";"), IsOk());
  EXPECT_THAT(JudgeFields("a @0 :Text;", "a @0 :Text; g :group { h :group { b @1 :Bool; } c @2 :Text; }"), IsOk());
}

TEST(SchemaJudgeTest, RefusesWhatChangedItsMeaning) {
  constexpr char kOld[] = "a @0 :UInt32; b @1 :Text; u :union { x @2 :Text; y @3 :List(UInt16); }";
  for (const char* const changed : {
           "a @0 :Int32; b @1 :Text; u :union { x @2 :Text; y @3 :List(UInt16); }",       // A type.
           "a @0 :UInt64; b @1 :Text; u :union { x @2 :Text; y @3 :List(UInt16); }",      // A size.
           "a @0 :UInt32 = 7; b @1 :Text; u :union { x @2 :Text; y @3 :List(UInt16); }",  // A default.
           "b @0 :Text; a @1 :UInt32; u :union { x @2 :Text; y @3 :List(UInt16); }",      // The order of numbers.
           "a @0 :UInt32; b @1 :Text; u :union { x @2 :Text; y @3 :List(Int16); }",       // An element.
           "a @0 :UInt32; b @1 :Text; u :union { x @2 :Text; y @3 :List(List(UInt16)); }",
           "a @0 :UInt32; b @1 :Text; u :union { y @3 :List(UInt16); x @2 :UInt16; }",
           "a @0 :UInt32; b @1 :Data; u :union { x @2 :Text; y @3 :List(UInt16); }",  // Text to data.
           "a @0 :UInt32; u :union { x @2 :Text; b @1 :Text; y @3 :List(UInt16); }",  // Into the union.
       }) {
    EXPECT_THAT(JudgeFields(kOld, changed), StatusIs(kFailedPrecondition, HasSubstr("they do not fit: "))) << changed;
  }
}

TEST(SchemaJudgeTest, LooksAtEveryTypeThatTheRootLeadsTo) {
  EXPECT_THAT(JudgeFields("i @0 :List(List(I)); struct I { n @0 :UInt8; }",
                          "i @0 :List(List(I)); z @1 :Bool; struct I { n @0 :Text; }"),
              StatusIs(kFailedPrecondition, AllOf(HasSubstr("upgrades and some"), HasSubstr("T.I"))));
  EXPECT_THAT(JudgeFields("i @0 :I; struct I @0x9e1197a2c1ed5d0e { n @0 :UInt8; }",
                          "i @0 :I; struct I @0x9e1197a2c1ed5d0f { n @0 :UInt8; }"),
              StatusIs(kFailedPrecondition));
  EXPECT_THAT(JudgeFields("i @0 :I; struct I @0x9e1197a2c1ed5d0e { n @0 :UInt8; }",
                          "i @0 :I; enum I @0x9e1197a2c1ed5d0e { n @0; }"),
              StatusIs(kFailedPrecondition));
  EXPECT_THAT(
      JudgeFields("e @0 :E; enum E @0x9e1197a2c1ed5d0e { n @0; }", "e @0 :E; enum E @0x9e1197a2c1ed5d0f { n @0; }"),
      StatusIs(kFailedPrecondition, HasSubstr("enum")));
}

TEST(SchemaJudgeTest, RefusesListsOfBoolsThatBecameStructs) {
  EXPECT_THAT(JudgeFields("l @0 :List(List(Bool));", "l @0 :List(List(I)); struct I { n @0 :Bool; }"),
              StatusIs(kFailedPrecondition, HasSubstr("a list of bools")));
}

// Cap'n Proto's loader compares these without end.
TEST(SchemaJudgeTest, RefusesListsOfListsThatBecameStructs) {
  EXPECT_THAT(JudgeFields("i @0 :I; struct I { n @0 :List(List(I)); }", "i @0 :I; struct I { n @0 :List(I); }"),
              StatusIs(kFailedPrecondition, HasSubstr("a list of bools or lists became one of structs: n in ")));
  EXPECT_THAT(JudgeFields("g @0 :List(List(I)); struct I { n @0 :List(List(I)); }",
                          "h :group { g @0 :List(I); } struct I { n @0 :List(List(I)); }"),
              StatusIs(kFailedPrecondition, HasSubstr("does not begin with it: g in ")));
}

TEST(SchemaJudgeTest, AFieldMayMoveIntoANewGroupOrUnion) {
  const std::string i = "struct I { n @0 :List(List(I)); }";
  EXPECT_THAT(
      JudgeFields(absl::StrCat("l @0 :List(I);", i), absl::StrCat("u :union { l @0 :List(I); t @1 :Text; }", i)),
      IsOk());
  EXPECT_THAT(JudgeFields(absl::StrCat("l @0 :List(List(I));", i),
                          absl::StrCat("u :group { v :group { l @0 :List(List(I)); t @1 :Text; } }", i)),
              IsOk());
  EXPECT_THAT(JudgeFields("l @0 :Text;", "u :union { l @0 :Data; t @1 :Text; }"), StatusIs(kFailedPrecondition));
}

// Cap'n Proto's loader does not compare the arguments of generic types.
TEST(SchemaJudgeTest, RefusesAnotherArgumentOfAGenericType) {
  const std::string box = "struct Box(X) { v @0 :X; n @1 :UInt8; }";
  EXPECT_THAT(JudgeFields(absl::StrCat("a @0 :Box(Text);", box), absl::StrCat("a @0 :Box(List(Int32));", box)),
              StatusIs(kFailedPrecondition));
  EXPECT_THAT(JudgeFields(absl::StrCat("a @0 :Box(Text);", box),
                          "a @0 :Box(Text); struct Box(X) { v @0 :X; n @1 :UInt8; m @2 :X; }"),
              IsOk());
}

TEST(SchemaJudgeTest, NamesBothTypesAndLayoutsAndTheReason) {
  const ParsedSchema own = ParsedSchema::OfFields("myField @0 :UInt32;");
  const ParsedSchema peer = ParsedSchema::OfFields("myField @0 :Int32;");
  EXPECT_THAT(Judge(own, peer),
              StatusIs(kFailedPrecondition,
                       AllOf(HasSubstr("this side of the channel speaks test.capnp:T (@0xdd7b92bd8fc037a2) of layout "),
                             HasSubstr("the peer test.capnp:T (@0xdd7b92bd8fc037a2) of layout "),
                             HasSubstr(absl::StrCat(absl::Hex(IdentityOf(own.type()).layout_hash, absl::kZeroPad16))),
                             HasSubstr(absl::StrCat(absl::Hex(IdentityOf(peer.type()).layout_hash, absl::kZeroPad16))),
                             HasSubstr("a type was changed"), HasSubstr("myField"))));
}

TEST(SchemaJudgeTest, AGeneratedTypeFitsItself) {
  const SchemaIdentity& identity = IdentityOf<sluice_test::Parcel>();
  ASSERT_OK_AND_ASSIGN(const auto bytes, EncodeSchema(identity.schema));
  EXPECT_OK(JudgeSchemas(identity, RecordOf(identity), bytes));
  ASSERT_OK_AND_ASSIGN(const auto letter, EncodeSchema(capnp::Schema::from<sluice_test::Letter>()));
  EXPECT_THAT(JudgeSchemas(identity, RecordOf(identity), letter), StatusIs(kFailedPrecondition));
}

// A peer that lies about its hash does not decide for one that tells the truth.
TEST(SchemaJudgeTest, RemembersBytesAndNotOnlyHashes) {
  const ParsedSchema own = ParsedSchema::OfFields("a @0 :UInt32;");
  const ParsedSchema good = ParsedSchema::OfFields("a @0 :UInt32; b @1 :Text;");
  const ParsedSchema bad = ParsedSchema::OfFields("a @0 :Text;");
  const SchemaIdentity identity = IdentityOf(own.type());
  const SchemaRecord claimed = RecordOf(IdentityOf(good.type()));
  ASSERT_OK_AND_ASSIGN(const auto good_bytes, EncodeSchema(good.type()));
  ASSERT_OK_AND_ASSIGN(const auto bad_bytes, EncodeSchema(bad.type()));
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(JudgeSchemas(identity, claimed, bad_bytes), StatusIs(kFailedPrecondition));
    EXPECT_THAT(JudgeSchemas(identity, claimed, good_bytes), IsOk());
  }
  // More than it remembers.
  for (int i = 0; i < 200; ++i) {
    SchemaRecord other = claimed;
    other.layout_hash = static_cast<uint64_t>(i);
    EXPECT_THAT(JudgeSchemas(identity, other, good_bytes), IsOk());
  }
  EXPECT_THAT(JudgeSchemas(identity, claimed, bad_bytes), StatusIs(kFailedPrecondition));
}

// M4, M7: no crash, no hang, and one of three results.
TEST(SchemaJudgeTest, SurvivesFlippedBits) {
  const ParsedSchema own = ParsedSchema::OfFields(
      "a @0 :UInt32; g :group { b @1 :Text; h :group { c @2 :Bool; } } l @3 :List(I); struct I { e @0 :E; } enum E "
      "{ x @0; y @1; }");
  const ParsedSchema peer = ParsedSchema::OfFields(
      "a @0 :UInt32; g :group { b @1 :Text; h :group { c @2 :Bool; } } l @3 :List(I); u :union { z @4 :Data; w @5 :T; }"
      "struct I { e @0 :E; } enum E { x @0; y @1; }");
  const SchemaIdentity identity = IdentityOf(own.type());
  const SchemaRecord record = RecordOf(IdentityOf(peer.type()));
  ASSERT_OK_AND_ASSIGN(const auto honest, EncodeSchema(peer.type()));
  ASSERT_OK(JudgeSchemas(identity, record, honest));
  int malformed = 0;
  for (size_t bit = 0; bit < honest.size() * 8; bit += 3) {
    std::vector<std::byte> bytes = honest;
    bytes[bit / 8] ^= std::byte{1} << bit % 8;
    const absl::Status status = JudgeSchemas(identity, record, bytes);
    EXPECT_THAT(status, AnyOf(IsOk(), StatusIs(kFailedPrecondition), StatusIs(kDataLoss))) << bit;
    if (absl::IsDataLoss(status)) ++malformed;
  }
  EXPECT_GT(malformed, 300);
}

// M4: several words at once, of values that pointers and small numbers have.
TEST(SchemaJudgeTest, SurvivesWordsFromElsewhere) {
  const ParsedSchema own = ParsedSchema::OfFields("a @0 :UInt32; g :group { b @1 :Text; c @2 :List(T); }");
  const ParsedSchema peer =
      ParsedSchema::OfFields("a @0 :UInt32; g :group { b @1 :Text; c @2 :List(T); } u :union { z @3 :Data; w @4 :T; }");
  const SchemaIdentity identity = IdentityOf(own.type());
  const SchemaRecord record = RecordOf(IdentityOf(peer.type()));
  ASSERT_OK_AND_ASSIGN(const auto honest, EncodeSchema(peer.type()));
  uint64_t random = 12345;
  const auto next = [&](size_t below) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((random >> 33) % below);
  };
  for (int round = 0; round < 500; ++round) {
    std::vector<std::byte> bytes = honest;
    for (size_t i = 0; i < 1 + next(4); ++i) {
      const size_t size = size_t{1} << next(4);
      std::memcpy(bytes.data() + next(honest.size() / size) * size, honest.data() + next(honest.size() / size) * size,
                  size);
    }
    EXPECT_THAT(JudgeSchemas(identity, record, bytes),
                AnyOf(IsOk(), StatusIs(kFailedPrecondition), StatusIs(kDataLoss)))
        << round;
  }
}

// M3
TEST(SchemaJudgeTest, SurvivesTruncation) {
  const ParsedSchema own = ParsedSchema::OfFields("a @0 :UInt32;");
  const ParsedSchema peer = ParsedSchema::OfFields("a @0 :UInt32; g :group { b @1 :Text; }");
  const SchemaIdentity identity = IdentityOf(own.type());
  const SchemaRecord record = RecordOf(IdentityOf(peer.type()));
  ASSERT_OK_AND_ASSIGN(const auto honest, EncodeSchema(peer.type()));
  for (size_t size = 0; size < honest.size(); ++size) {
    EXPECT_THAT(JudgeSchemas(identity, record, absl::MakeConstSpan(honest).first(size)), StatusIs(kDataLoss)) << size;
  }
  EXPECT_THAT(JudgeSchemas(identity, record, std::vector<std::byte>(300'000)), StatusIs(kDataLoss));
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
