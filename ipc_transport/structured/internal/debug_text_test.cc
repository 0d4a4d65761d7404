#include "ipc_transport/structured/internal/debug_text.h"

#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <kj/string.h>

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/schemas.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using sluice_test::Parcel;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::ParsedSchema;
using ::testing::StartsWith;

std::string TextOf(Parcel::Reader parcel, size_t max_bytes = 4096, size_t message_bytes = 77) {
  return DebugText(parcel, capnp::Schema::from<Parcel>(), max_bytes, message_bytes);
}

TEST(DebugTextTest, IsCapnProtosText) {
  capnp::MallocMessageBuilder message;
  Parcel::Builder parcel = message.initRoot<Parcel>();
  EXPECT_EQ(TextOf(parcel), "(number = 0, none = void)");
  parcel.setNumber(7);
  parcel.setText("a \"text\"\n");
  EXPECT_EQ(TextOf(parcel), "(number = 7, text = \"a \\\"text\\\"\\n\")");
  EXPECT_EQ(TextOf(parcel), kj::str(parcel).cStr());
  parcel.initInner().initParts(2);
  EXPECT_EQ(TextOf(parcel), "(number = 7, inner = (number = 0, parts = [\"\", \"\"], none = void))");
  EXPECT_EQ(TextOf(parcel), kj::str(parcel).cStr());
}

TEST(DebugTextTest, EveryKindOfFieldHasAForm) {
  const ParsedSchema schema = ParsedSchema::OfFields(
      "v @0 :Void; b @1 :Bool = true; i @2 :Int8 = -1; j @3 :UInt64 = 18446744073709551615; f @4 :Float64 = 0.5;"
      "t @5 :Text; d @6 :Data; e @7 :E = y; a @8 :AnyPointer; n @9 :List(Int16); h @10 :List(List(T)); s @11 :T;"
      "u :union { x @12 :Void; y @13 :Text; z @14 :List(E); } enum E { x @0; y @1; }");
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<capnp::DynamicStruct>(schema.type());
  const auto text = [&] {
    return DebugText(message.getRoot<capnp::AnyPointer>().asReader().getAs<capnp::AnyStruct>(), schema.type(), 4096, 0);
  };
  EXPECT_EQ(text(), "(v = void, b = true, i = -1, j = 18446744073709551615, f = 0.5, e = y, u = (x = void))");
  root.set("b", false);
  root.set("e", capnp::DynamicEnum(schema.type().getFieldByName("e").getType().asEnum(), 9));
  root.set("d", capnp::Data::Reader(reinterpret_cast<const capnp::byte*>("\x01\xff"), 2));
  auto numbers = root.init("n", 3).as<capnp::DynamicList>();
  numbers.set(1, 5);
  root.init("h", 2).as<capnp::DynamicList>().init(1, 1);
  auto member = root.get("u").as<capnp::DynamicStruct>();
  // A member that is null is told from the first one by its name alone.
  member.init("y", 0);
  EXPECT_THAT(text(), HasSubstr("b = false, "));
  EXPECT_THAT(text(), HasSubstr("d = \"\\x01\\xff\", e = (9), n = [0, 5, 0], h = [[], [(v = void, "));
  EXPECT_THAT(text(), EndsWith("u = (y = \"\"))"));
}

TEST(DebugTextTest, LongTextsAndDataAreShortened) {
  capnp::MallocMessageBuilder message;
  Parcel::Builder parcel = message.initRoot<Parcel>();
  parcel.setText(std::string(256, 'x'));
  EXPECT_EQ(TextOf(parcel), absl::StrCat("(number = 0, text = \"", std::string(256, 'x'), "\")"));
  parcel.setText(std::string(1000, 'x'));
  EXPECT_EQ(TextOf(parcel), absl::StrCat("(number = 0, text = \"", std::string(256, 'x'), "\"... (744 more bytes))"));
  parcel.initParts(1).init(0, 1'000'000);
  EXPECT_THAT(TextOf(parcel), HasSubstr("(999744 more bytes)"));
}

TEST(DebugTextTest, EndsAtTheLimit) {
  capnp::MallocMessageBuilder message;
  Parcel::Builder parcel = message.initRoot<Parcel>();
  parcel.setText("0123456789");
  const std::string whole = TextOf(parcel);
  EXPECT_EQ(TextOf(parcel, whole.size()), whole);
  EXPECT_EQ(TextOf(parcel, whole.size() - 1),
            absl::StrCat(whole.substr(0, whole.size() - 1), "... (cut here; the message has 77 bytes)"));
  EXPECT_EQ(TextOf(parcel, 0), "... (cut here; the message has 77 bytes)");
}

// A list of half a billion elements takes 16 bytes; the test would never end if all were looked at.
TEST(DebugTextTest, TakesNoTimeForWhatIsLeftOut) {
  const ParsedSchema schema = ParsedSchema::OfFields("v @0 :List(Void);");
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<capnp::DynamicStruct>(schema.type());
  root.init("v", (1u << 29) - 1);
  const auto text = [&] {
    return DebugText(message.getRoot<capnp::AnyPointer>().asReader().getAs<capnp::AnyStruct>(), schema.type(), 1000, 0);
  };
  for (int i = 0; i < 1000; ++i) ASSERT_THAT(text(), StartsWith("(v = [void, void, "));
  EXPECT_LT(text().size(), 1100u);
}

// A builder, unlike a received message, may be of any depth.
TEST(DebugTextTest, LooksNoDeeperThanAMessageMayBe) {
  capnp::MallocMessageBuilder message;
  Parcel::Builder parcel = message.initRoot<Parcel>();
  for (int i = 0; i < 100'000; ++i) parcel = parcel.initInner();
  EXPECT_THAT(TextOf(message.getRoot<Parcel>(), 10'000'000), HasSubstr("inner = (...)"));
}

// M4, M6: the rest is shown.
TEST(DebugTextTest, NamesWhatIsMalformed) {
  // A struct of two words and two pointers: a number, no union, a list of data whose element leads nowhere, a null.
  const uint64_t words[] = {uint64_t{2} << 32 | uint64_t{2} << 48,
                            7,
                            0,
                            uint64_t{1} << 2 | 1 | uint64_t{6} << 32 | uint64_t{1} << 35,
                            0,
                            uint64_t{100} << 2 | 1 | uint64_t{2} << 32 | uint64_t{8} << 35};
  const kj::ArrayPtr<const capnp::word> segment(reinterpret_cast<const capnp::word*>(words), 6);
  capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&segment, 1));
  const std::string text = TextOf(reader.getRoot<Parcel>());
  EXPECT_THAT(text, StartsWith("(number = 7, parts = [<malformed: "));
  EXPECT_THAT(text, HasSubstr("out-of-bounds"));
  EXPECT_THAT(text, EndsWith(">], none = void)"));
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
