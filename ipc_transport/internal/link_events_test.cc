#include "ipc_transport/internal/link_events.h"

#include <cerrno>
#include <memory>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/link.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::Link;
using ::ipc::internal::LinkEvents;

class LinkEventsTest : public ::testing::Test {
 protected:
  LinkEventsTest() {
    auto [mine, theirs] = MakeSocketPair();
    link_ = *Link::Create(std::move(mine), PidFd());
    peer_ = *Link::Create(std::move(theirs), PidFd());
    events_ = *LinkEvents::Create(link_);
  }

  std::shared_ptr<Link> link_;
  std::shared_ptr<Link> peer_;
  std::unique_ptr<LinkEvents> events_;
};

TEST_F(LinkEventsTest, IsReadableAtFirstSoThatTheUserTries) {
  EXPECT_TRUE(IsReadable(events_->fd()));
  events_->Quiet();
  EXPECT_FALSE(IsReadable(events_->fd()));
  events_->Signal();
  EXPECT_TRUE(IsReadable(events_->fd()));
}

TEST_F(LinkEventsTest, ADoorbellMakesItReadable) {
  events_->Quiet();
  peer_->RingDoorbell();
  EXPECT_TRUE(IsReadable(events_->fd()));
  link_->Pump();
  events_->Quiet();
  EXPECT_FALSE(IsReadable(events_->fd()));
}

// Of two directions of one link, the one that did not read the doorbell must not miss it.
TEST_F(LinkEventsTest, ADoorbellThatAnotherReadIsNotLost) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<LinkEvents> other, LinkEvents::Create(link_));
  other->Quiet();
  events_->Quiet();
  peer_->RingDoorbell();
  link_->Pump();
  other->Quiet();
  EXPECT_FALSE(IsReadable(other->fd()));
  EXPECT_TRUE(IsReadable(events_->fd()));
}

TEST_F(LinkEventsTest, TheEndMakesItReadableForGood) {
  events_->Quiet();
  peer_->End(absl::CancelledError("closed"));
  EXPECT_TRUE(IsReadable(events_->fd()));
  link_->Pump();
  events_->Quiet();
  EXPECT_TRUE(IsReadable(events_->fd()));
}

TEST_F(LinkEventsTest, AnEndOnThisSideMakesItReadable) {
  events_->Quiet();
  link_->End(absl::CancelledError("closed"));
  EXPECT_TRUE(IsReadable(events_->fd()));
}

// R2
TEST_F(LinkEventsTest, WithoutDescriptorsItSaysSo) {
  for (const char* call : {"EpollCreate", "EventFd"}) {
    const OsTesting os({FailCall(call, EMFILE)});
    EXPECT_THAT(LinkEvents::Create(link_), StatusIs(absl::StatusCode::kResourceExhausted));
  }
}

}  // namespace
}  // namespace ipc::testing
