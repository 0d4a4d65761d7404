#include "ipc_transport/structured/internal/handlers.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/testing/incoming.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

class HandlersTest : public ::testing::Test {
 protected:
  MessageHandler Note(const char* who) {
    return [this, who](IncomingMessage::Ptr) { ran_ = who; };
  }

  // Who runs for a message of `type`; "none".
  std::string Run(std::optional<uint16_t> type) {
    ran_ = "none";
    const bool has = handlers_.Has(type);
    const Handlers::Shared handler = handlers_.Take(type);
    EXPECT_EQ(has, handler != nullptr);
    if (handler != nullptr) (*handler)(nullptr);
    return ran_;
  }

  Handlers handlers_;
  std::string ran_;
};

TEST_F(HandlersTest, ThereIsNoneAtFirst) {
  EXPECT_EQ(Run(0), "none");
  EXPECT_EQ(Run(std::nullopt), "none");
}

TEST_F(HandlersTest, AHandlerRunsForItsTypeEachTime) {
  handlers_.On(1, Note("one"));
  handlers_.On(2, Note("two"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Run(1), "one");
    EXPECT_EQ(Run(2), "two");
    EXPECT_EQ(Run(3), "none");
    EXPECT_EQ(Run(std::nullopt), "none");
  }
}

TEST_F(HandlersTest, AHandlerGetsTheMessage) {
  uint64_t id = 0;
  handlers_.On(1, [&](IncomingMessage::Ptr message) { id = message->id(); });
  (*handlers_.Take(1))(testing::NewIncoming(7));
  EXPECT_EQ(id, 7u);
}

TEST_F(HandlersTest, OneForOnceRunsBeforeThePermanentOneAndOnce) {
  handlers_.Once(1, Note("once"));
  handlers_.On(1, Note("always"));
  handlers_.OnOther(Note("other"));
  EXPECT_EQ(Run(2), "other");
  EXPECT_EQ(Run(1), "once");
  EXPECT_EQ(Run(1), "always");
  handlers_.Once(1, Note("once again"));
  EXPECT_EQ(Run(1), "once again");
  EXPECT_EQ(Run(1), "always");
}

TEST_F(HandlersTest, OneForOnceAloneLeavesNothing) {
  handlers_.Once(1, Note("once"));
  EXPECT_EQ(Run(1), "once");
  EXPECT_EQ(Run(1), "none");
}

TEST_F(HandlersTest, TheOtherRunsForWhatHasNoHandlerOrNoType) {
  handlers_.On(1, Note("one"));
  handlers_.OnOther(Note("other"));
  EXPECT_EQ(Run(1), "one");
  EXPECT_EQ(Run(0), "other");
  EXPECT_EQ(Run(65535), "other");
  EXPECT_EQ(Run(std::nullopt), "other");
}

TEST_F(HandlersTest, AHandlerReplacesTheOneBefore) {
  handlers_.On(1, Note("old"));
  handlers_.Once(2, Note("old"));
  handlers_.OnOther(Note("old"));
  handlers_.On(1, Note("new"));
  handlers_.Once(2, Note("new"));
  handlers_.OnOther(Note("new other"));
  EXPECT_EQ(Run(1), "new");
  EXPECT_EQ(Run(2), "new");
  EXPECT_EQ(Run(2), "new other");
}

TEST_F(HandlersTest, NullRemovesAHandler) {
  handlers_.On(1, Note("always"));
  handlers_.Once(1, Note("once"));
  handlers_.OnOther(Note("other"));
  handlers_.Once(1, nullptr);
  EXPECT_EQ(Run(1), "always");
  handlers_.On(1, nullptr);
  EXPECT_EQ(Run(1), "other");
  handlers_.OnOther(nullptr);
  EXPECT_EQ(Run(1), "none");
  EXPECT_EQ(Run(std::nullopt), "none");
}

TEST_F(HandlersTest, AHandlerThatReplacesItselfLivesUntilItReturns) {
  auto own = std::make_shared<std::string>("mine");
  const std::weak_ptr<std::string> watched = own;
  handlers_.On(1, [this, own = std::move(own)](IncomingMessage::Ptr) {
    handlers_.On(1, Note("next"));
    ran_ = *own;
  });
  EXPECT_EQ(Run(1), "mine");
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(Run(1), "next");
}

TEST_F(HandlersTest, AHandlerForOnceMaySetTheNext) {
  handlers_.Once(1, [this](IncomingMessage::Ptr) {
    handlers_.Once(1, Note("second"));
    ran_ = "first";
  });
  EXPECT_EQ(Run(1), "first");
  EXPECT_EQ(Run(1), "second");
  EXPECT_EQ(Run(1), "none");
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
