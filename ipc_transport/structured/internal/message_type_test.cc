#include "ipc_transport/structured/internal/message_type.h"

#include <capnp/message.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/testing/incoming.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using sluice_test::Letter;
using sluice_test::Parcel;
using testing::NewIncoming;

static_assert(HasMessageTypes<Parcel>);
static_assert(!HasMessageTypes<Letter>);

// A message whose root has these words of data, and no pointers.
IncomingMessage::Ptr WithData(const std::vector<uint64_t>& data) {
  std::vector<uint64_t> words = {uint64_t{data.size()} << 32};
  words.insert(words.end(), data.begin(), data.end());
  return NewIncoming(1, {.words = words});
}

TEST(MessageTypeTest, IsTheUnionMemberThatIsSet) {
  capnp::MallocMessageBuilder message;
  const Parcel::Builder parcel = message.initRoot<Parcel>();
  EXPECT_EQ(TypeOf<Parcel>(parcel.asReader()), Parcel::NONE);
  Parcel::Builder(parcel).setText("text");
  EXPECT_EQ(TypeOf<Parcel>(parcel.asReader()), Parcel::TEXT);
  Parcel::Builder(parcel).initInner();
  EXPECT_EQ(TypeOf<Parcel>(parcel.asReader()), Parcel::INNER);
}

TEST(MessageTypeTest, IsTheUnionMemberThatThePeerSet) {
  EXPECT_EQ(TypeOfIncoming<Parcel>(*WithData({7, Parcel::NONE})), Parcel::NONE);
  EXPECT_EQ(TypeOfIncoming<Parcel>(*WithData({7, Parcel::TEXT})), Parcel::TEXT);
  EXPECT_EQ(TypeOfIncoming<Parcel>(*WithData({7, Parcel::INNER})), Parcel::INNER);
}

TEST(MessageTypeTest, AMemberThatThisSchemaDoesNotKnowKeepsItsNumber) {
  EXPECT_EQ(TypeOfIncoming<Parcel>(*WithData({7, 3})), 3);
  EXPECT_EQ(TypeOfIncoming<Parcel>(*WithData({7, 65535})), 65535);
}

TEST(MessageTypeTest, ARootThatSaysNothingHasTheFirstType) {
  EXPECT_EQ(TypeOfIncoming<Parcel>(*NewIncoming(1)), 0);
  EXPECT_EQ(TypeOfIncoming<Parcel>(*WithData({7})), 0);
}

TEST(MessageTypeTest, ARootWithoutAUnionHasNone) {
  capnp::MallocMessageBuilder message;
  EXPECT_EQ(TypeOf<Letter>(message.initRoot<Letter>().asReader()), std::nullopt);
  EXPECT_EQ(TypeOfIncoming<Letter>(*WithData({7, 2})), std::nullopt);
  EXPECT_EQ(TypeOfIncoming<Letter>(*NewIncoming(1)), std::nullopt);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
