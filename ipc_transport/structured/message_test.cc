#include "ipc_transport/structured/message.h"

#include <unistd.h>

#include <type_traits>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
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
