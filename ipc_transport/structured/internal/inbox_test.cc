#include "ipc_transport/structured/internal/inbox.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/handlers.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/testing/incoming.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using ::testing::ElementsAre;
using testing::NewIncoming;
using testing::StatusIs;

constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;
constexpr uint16_t kType = 5;

absl::Status TooLarge() { return absl::ResourceExhaustedError("too large"); }

// Message 1, 2 and so on, of no type.
void PushMany(Inbox& inbox, uint64_t count) {
  for (uint64_t id = 1; id <= count; ++id) ASSERT_TRUE(inbox.Push(NewIncoming(id), std::nullopt));
}

// A failed one is 0.
std::vector<uint64_t> PopAll(Inbox& inbox) {
  std::vector<uint64_t> ids;
  while (!inbox.empty()) {
    const absl::StatusOr<IncomingMessage::Ptr> message = inbox.Pop();
    ids.push_back(message.ok() ? (*message)->id() : 0);
  }
  return ids;
}

// The id of the handled message; 0: there is none.
uint64_t PopHandledId(Inbox& inbox, Handlers& handlers) {
  IncomingMessage::Ptr message;
  const Handlers::Shared handler = inbox.PopHandled(handlers, message);
  EXPECT_EQ(handler != nullptr, message != nullptr);
  return message != nullptr ? message->id() : 0;
}

TEST(InboxTest, HandsOutInTheOrderOfArrival) {
  Inbox inbox(64);
  EXPECT_TRUE(inbox.empty());
  PushMany(inbox, 3);
  EXPECT_FALSE(inbox.empty());
  EXPECT_EQ(inbox.size(), 3u);
  EXPECT_THAT(PopAll(inbox), ElementsAre(1, 2, 3));
  EXPECT_EQ(inbox.size(), 0u);
}

TEST(InboxTest, TakesAsManyAsTheFirstCreditAtLeast) {
  for (const auto& [wanted, capacity] : {std::pair<uint64_t, uint64_t>(0, 64), {64, 64}, {65, 65}}) {
    Inbox inbox(wanted);
    EXPECT_EQ(inbox.capacity(), capacity);
    PushMany(inbox, capacity);
    EXPECT_FALSE(inbox.Push(NewIncoming(capacity + 1), std::nullopt));
  }
}

TEST(InboxTest, RoomAloneGivesThePeerNoCredit) {
  Inbox inbox(64);
  PushMany(inbox, 64);
  EXPECT_OK(inbox.Pop());
  EXPECT_FALSE(inbox.Push(NewIncoming(65), std::nullopt));
  EXPECT_FALSE(inbox.Push(TooLarge(), std::nullopt));
}

TEST(InboxTest, WhatIsGrantedMayCome) {
  Inbox inbox(64);
  PushMany(inbox, 64);
  for (int i = 0; i < 3; ++i) EXPECT_OK(inbox.Pop());
  EXPECT_EQ(inbox.Grant(), 67u);
  EXPECT_EQ(inbox.Grant(), 67u);
  for (uint64_t id = 65; id <= 67; ++id) EXPECT_TRUE(inbox.Push(NewIncoming(id), std::nullopt));
  EXPECT_FALSE(inbox.Push(NewIncoming(68), std::nullopt));
}

TEST(InboxTest, CreditIsOwedOnceHalfTheRoomIsTakenAndNotBefore) {
  for (const uint64_t capacity : {64, 65}) {
    Inbox inbox(capacity);
    EXPECT_FALSE(inbox.OwesCredit());
    PushMany(inbox, capacity);
    for (uint64_t round = 1; round <= 2; ++round) {
      for (int i = 0; i < 32; ++i) {
        EXPECT_FALSE(inbox.OwesCredit()) << capacity << ": " << i;
        EXPECT_OK(inbox.Pop());
      }
      EXPECT_TRUE(inbox.OwesCredit());
      EXPECT_EQ(inbox.Grant(), capacity + round * 32);
      EXPECT_FALSE(inbox.OwesCredit());
    }
  }
}

TEST(InboxTest, HandledMessagesAreFoundBehindOthersWhoseOrderStays) {
  Inbox inbox(64);
  for (const auto& [id, type] : {std::pair<uint64_t, std::optional<uint16_t>>(1, 0), {2, kType}, {3, 0}, {4, kType}}) {
    ASSERT_TRUE(inbox.Push(NewIncoming(id), type));
  }
  Handlers handlers;
  EXPECT_FALSE(inbox.HasHandled(handlers));
  EXPECT_EQ(PopHandledId(inbox, handlers), 0u);
  handlers.On(kType, [](IncomingMessage::Ptr) {});
  EXPECT_TRUE(inbox.HasHandled(handlers));
  EXPECT_EQ(PopHandledId(inbox, handlers), 2u);
  ASSERT_TRUE(inbox.Push(NewIncoming(5), std::nullopt));
  EXPECT_EQ(PopHandledId(inbox, handlers), 4u);
  EXPECT_FALSE(inbox.HasHandled(handlers));
  EXPECT_EQ(PopHandledId(inbox, handlers), 0u);
  EXPECT_THAT(PopAll(inbox), ElementsAre(1, 3, 5));
}

TEST(InboxTest, AHandledMessageComesWithTheHandlerOfItsType) {
  Inbox inbox(64);
  std::string ran;
  Handlers handlers;
  handlers.On(0, [&](IncomingMessage::Ptr) { ran = "zero"; });
  handlers.Once(kType, [&](IncomingMessage::Ptr) { ran = "once"; });
  ASSERT_TRUE(inbox.Push(NewIncoming(1), kType));
  ASSERT_TRUE(inbox.Push(NewIncoming(2), kType));
  IncomingMessage::Ptr message;
  const Handlers::Shared handler = inbox.PopHandled(handlers, message);
  ASSERT_NE(handler, nullptr);
  (*handler)(std::move(message));
  EXPECT_EQ(ran, "once");
  EXPECT_FALSE(inbox.HasHandled(handlers));
}

TEST(InboxTest, HandledMessagesCountAsTaken) {
  Inbox inbox(64);
  PushMany(inbox, 64);
  Handlers handlers;
  handlers.OnOther([](IncomingMessage::Ptr) {});
  for (uint64_t id = 1; id <= 32; ++id) {
    EXPECT_FALSE(inbox.OwesCredit());
    EXPECT_EQ(PopHandledId(inbox, handlers), id);
  }
  EXPECT_TRUE(inbox.OwesCredit());
}

TEST(InboxTest, CountsTheMemoryOfWhatWaits) {
  Inbox inbox(64);
  uint64_t expected = 0;
  for (uint64_t id = 1; id <= 4; ++id) {
    IncomingMessage::Ptr message = NewIncoming(id, {.words = std::vector<uint64_t>(1000 * id)});
    EXPECT_GE(message->private_bytes(), 8000 * id);
    expected += message->private_bytes();
    ASSERT_TRUE(inbox.Push(std::move(message), id == 2 ? std::optional<uint16_t>(kType) : std::nullopt));
    EXPECT_EQ(inbox.private_bytes(), expected);
  }
  ASSERT_TRUE(inbox.Push(TooLarge(), std::nullopt));
  EXPECT_EQ(inbox.private_bytes(), expected);

  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr first, inbox.Pop());
  expected -= first->private_bytes();
  EXPECT_EQ(inbox.private_bytes(), expected);

  Handlers handlers;
  handlers.On(kType, [](IncomingMessage::Ptr) {});
  IncomingMessage::Ptr second;
  ASSERT_NE(inbox.PopHandled(handlers, second), nullptr);
  expected -= second->private_bytes();
  EXPECT_EQ(inbox.private_bytes(), expected);

  inbox.DropFailed();
  EXPECT_EQ(inbox.private_bytes(), expected);
  inbox.Clear();
  EXPECT_EQ(inbox.private_bytes(), 0u);
  EXPECT_TRUE(inbox.empty());
}

TEST(InboxTest, WhatCouldNotBeTakenIsReportedInItsTurn) {
  Inbox inbox(64);
  ASSERT_TRUE(inbox.Push(NewIncoming(1), std::nullopt));
  ASSERT_TRUE(inbox.Push(TooLarge(), std::nullopt));
  ASSERT_TRUE(inbox.Push(NewIncoming(2), std::nullopt));
  EXPECT_OK(inbox.Pop());
  EXPECT_THAT(inbox.Pop(), StatusIs(kResourceExhausted, "too large"));
  inbox.DropFailed();
  EXPECT_THAT(PopAll(inbox), ElementsAre(2));
}

TEST(InboxTest, WhatCouldNotBeTakenHasNoHandler) {
  Inbox inbox(64);
  ASSERT_TRUE(inbox.Push(TooLarge(), std::nullopt));
  Handlers handlers;
  handlers.OnOther([](IncomingMessage::Ptr) {});
  EXPECT_FALSE(inbox.HasHandled(handlers));
  EXPECT_EQ(PopHandledId(inbox, handlers), 0u);
  ASSERT_TRUE(inbox.Push(NewIncoming(1), std::nullopt));
  EXPECT_EQ(PopHandledId(inbox, handlers), 1u);
  EXPECT_THAT(PopAll(inbox), ElementsAre(0));
}

TEST(InboxTest, DropsWhatCouldNotBeTakenAndNothingElse) {
  Inbox inbox(64);
  for (uint64_t id = 1; id <= 2; ++id) {
    ASSERT_TRUE(inbox.Push(TooLarge(), std::nullopt));
    ASSERT_TRUE(inbox.Push(NewIncoming(id), std::nullopt));
    ASSERT_TRUE(inbox.Push(TooLarge(), std::nullopt));
  }
  for (int i = 0; i < 2; ++i) {
    inbox.DropFailed();
    EXPECT_EQ(inbox.size(), 2u);
  }
  EXPECT_THAT(PopAll(inbox), ElementsAre(1, 2));
}

TEST(InboxTest, WhatCouldNotBeTakenCountsAsTaken) {
  Inbox inbox(64);
  for (int i = 0; i < 31; ++i) ASSERT_TRUE(inbox.Push(TooLarge(), std::nullopt));
  inbox.DropFailed();
  EXPECT_FALSE(inbox.OwesCredit());
  ASSERT_TRUE(inbox.Push(TooLarge(), std::nullopt));
  EXPECT_FALSE(inbox.Pop().ok());
  EXPECT_TRUE(inbox.OwesCredit());
  EXPECT_EQ(inbox.Grant(), 96u);
}

TEST(InboxTest, NothingIsLeftOnceItIsCleared) {
  Inbox inbox(64);
  ASSERT_TRUE(inbox.Push(TooLarge(), std::nullopt));
  ASSERT_TRUE(inbox.Push(NewIncoming(1), std::nullopt));
  inbox.Clear();
  EXPECT_EQ(inbox.size(), 0u);
  // Nor is anything there to be dropped.
  ASSERT_TRUE(inbox.Push(NewIncoming(2), std::nullopt));
  inbox.DropFailed();
  EXPECT_THAT(PopAll(inbox), ElementsAre(2));
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
