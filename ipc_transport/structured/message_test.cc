#include "ipc_transport/structured/message.h"

#include <capnp/message.h>
#include <capnp/orphan.h>
#include <unistd.h>

#include <cstddef>
#include <type_traits>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using sluice_test::Parcel;
using testing::Fill;
using ::testing::HasSubstr;
using testing::IsFilled;
using testing::IsOk;
using testing::StatusIs;

static_assert(!std::is_copy_constructible_v<Message<Parcel>> && std::is_nothrow_move_constructible_v<Message<Parcel>>);
static_assert(!std::is_copy_constructible_v<Incoming<Parcel>> &&
              std::is_nothrow_move_constructible_v<Incoming<Parcel>>);
static_assert(std::is_copy_constructible_v<FrozenMessage<Parcel>>);

// Readers do not outlive what they read.
template <typename T>
concept HasBodyOfATemporary = requires(T&& message) { std::move(message).body(); };
static_assert(!HasBodyOfATemporary<FrozenMessage<Parcel>>);
static_assert(!HasBodyOfATemporary<Incoming<Parcel>>);

TEST(MessageTest, IsBuiltInPlace) {
  Message<Parcel> message;
  EXPECT_EQ(message.bytes(), 0u);
  Fill(message.body(), 7, 1, 50);
  message.body().setText("text");
  EXPECT_TRUE(IsFilled(message.body().asReader(), 7, 1, 50));
  EXPECT_EQ(message.body().asReader().getText(), "text");
  EXPECT_GT(message.bytes(), 50u);
  EXPECT_OK(message.status());
}

TEST(MessageTest, MovesWithWhatWasBuilt) {
  Message<Parcel> message;
  Parcel::Builder body = message.body();
  Fill(body, 7, 1, 50);
  Message<Parcel> moved = std::move(message);
  body.setText("still here");
  EXPECT_EQ(moved.body().asReader().getText(), "still here");
  message = Message<Parcel>();
  EXPECT_EQ(message.body().getNumber(), 0u);
}

TEST(MessageTest, AttachesSixteenDescriptors) {
  Message<Parcel> message;
  for (int i = 0; i < 16; ++i) EXPECT_OK(message.AttachDescriptor(Fd(dup(0))));
  EXPECT_THAT(message.AttachDescriptor(Fd(dup(0))), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("16")));
}

TEST(MessageTest, IsMadeOfAnotherOne) {
  Message<Parcel> first;
  Fill(first.body(), 7, 3, 100'000);
  Message<Parcel> second = Message<Parcel>::CopyOf(first.body().asReader());
  first.body().setNumber(8);
  EXPECT_TRUE(IsFilled(second.body().asReader(), 7, 3, 100'000));
  second.CopyFrom(first.body().asReader());
  EXPECT_EQ(second.body().getNumber(), 8u);
  // Of a builder that is no message of ours.
  capnp::MallocMessageBuilder builder;
  Fill(builder.initRoot<Parcel>(), 9, 1, 10);
  EXPECT_TRUE(IsFilled(Message<Parcel>::CopyOf(builder.getRoot<Parcel>().asReader()).body(), 9, 1, 10));
}

TEST(MessageTest, PartsMayBeBuiltFirst) {
  Message<Parcel> message;
  capnp::Orphan<Parcel> inner = message.orphanage().newOrphan<Parcel>();
  Fill(inner.get(), 7, 2, 2000);
  capnp::Orphan<capnp::Text> unused = message.orphanage().newOrphan<capnp::Text>(10);
  message.body().adoptInner(std::move(inner));
  unused = {};
  ASSERT_OK_AND_ASSIGN(const FrozenMessage<Parcel> frozen, std::move(message).Freeze());
  EXPECT_TRUE(IsFilled(frozen.body().getInner(), 7, 2, 2000));
}

TEST(MessageTest, ReservesMemory) {
  Message<Parcel> message({.reserve_bytes = 100'000});
  EXPECT_OK(message.status());
  EXPECT_EQ(message.bytes(), 0u);
  Fill(message.body(), 7, 9, 10'000);
  EXPECT_OK(message.status());
  EXPECT_THAT(Message<Parcel>({.reserve_bytes = size_t{1} << 40}).status(),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(MessageTest, IsShownAsText) {
  Message<Parcel> message;
  EXPECT_EQ(message.DebugString(), "(number = 0, none = void)");
  message.body().setNumber(7);
  message.body().setText("text");
  EXPECT_EQ(message.DebugString(), "(number = 7, text = \"text\")");
  message.body().initParts(1'000'000);
  EXPECT_LT(message.DebugString().size(), 5000u);
  EXPECT_THAT(message.DebugString(), HasSubstr("... (cut here; the message has 80000"));
  EXPECT_THAT(message.DebugString(10), HasSubstr("(number = ... (cut here"));
}

TEST(FrozenMessageTest, ThawsWhileOthersRead) {
  Message<Parcel> message;
  Fill(message.body(), 7, 3, 100'000);
  ASSERT_OK(message.AttachDescriptor(Fd(dup(0))));
  ASSERT_OK_AND_ASSIGN(FrozenMessage<Parcel> frozen, std::move(message).Freeze());
  const Parcel::Reader reader = frozen.body();
  Message<Parcel> thawed = frozen.Thaw();
  thawed.body().setNumber(8);
  thawed.body().initParts(1);
  EXPECT_TRUE(IsFilled(reader, 7, 3, 100'000));
  ASSERT_OK_AND_ASSIGN(const FrozenMessage<Parcel> again, std::move(thawed).Freeze());
  EXPECT_EQ(again.body().getNumber(), 8u);
  EXPECT_EQ(again.body().getParts().size(), 1u);
  Message<Parcel> last = std::move(frozen).Thaw();
  EXPECT_TRUE(IsFilled(last.body().asReader(), 7, 3, 100'000));
}

TEST(FrozenMessageTest, IsShownAsText) {
  Message<Parcel> message;
  message.body().setNumber(7);
  ASSERT_OK_AND_ASSIGN(const FrozenMessage<Parcel> frozen, std::move(message).Freeze());
  EXPECT_EQ(frozen.DebugString(), "(number = 7, none = void)");
  EXPECT_EQ(frozen.DebugString(4), "(num... (cut here; the message has 40 bytes)");
}

TEST(FrozenMessageTest, ReadsWhatWasBuilt) {
  Message<Parcel> message;
  Fill(message.body(), 7, 3, 100'000);
  const size_t bytes = message.bytes();
  ASSERT_OK_AND_ASSIGN(FrozenMessage<Parcel> frozen, std::move(message).Freeze());
  EXPECT_EQ(frozen.bytes(), bytes);
  const FrozenMessage<Parcel> copy = frozen;
  frozen = FrozenMessage<Parcel>(copy);
  EXPECT_TRUE(IsFilled(copy.body(), 7, 3, 100'000));
}

TEST(FrozenMessageTest, WhatNobodyBuiltHasDefaults) {
  Message<Parcel> message;
  ASSERT_OK_AND_ASSIGN(const FrozenMessage<Parcel> frozen, std::move(message).Freeze());
  EXPECT_TRUE(IsFilled(frozen.body(), 0));
  EXPECT_TRUE(frozen.body().isNone());
}

TEST(FrozenMessageTest, NothingIsLeftToFreeze) {
  Message<Parcel> message;
  ASSERT_OK(std::move(message).Freeze());
  EXPECT_THAT(std::move(message).Freeze(),  // NOLINT: that is what is tested.
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("moved from, or sent or frozen before")));
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
