#include "ipc_transport/internal/event_set.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ipc::internal::EventSet;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class EventSetTest : public ::testing::Test {
 protected:
  // Makes `ours_` readable.
  void Send() { ASSERT_EQ(write(theirs_.get(), "x", 1), 1); }

  EventSet set_ = EventSet::Create().value();
  std::pair<Fd, Fd> sockets_ = MakeSocketPair();
  Fd& ours_ = sockets_.first;
  Fd& theirs_ = sockets_.second;
};

TEST_F(EventSetTest, TellsWhatIsReadyUntilItIsNot) {
  ASSERT_OK(set_.Add(ours_, EPOLLIN, 7));
  EXPECT_FALSE(IsReadable(set_.fd()));
  EXPECT_THAT(set_.Ready(), IsEmpty());
  Send();
  EXPECT_TRUE(IsReadable(set_.fd()));
  EXPECT_THAT(set_.Ready(), ElementsAre(7));
  EXPECT_THAT(set_.Ready(), ElementsAre(7));
  char byte;
  ASSERT_EQ(read(ours_.get(), &byte, 1), 1);
  EXPECT_FALSE(IsReadable(set_.fd()));
  EXPECT_THAT(set_.Ready(), IsEmpty());
}

TEST_F(EventSetTest, WatchesForOtherEvents) {
  ASSERT_OK(set_.Add(ours_, 0, 7));
  Send();
  EXPECT_FALSE(IsReadable(set_.fd()));
  set_.Change(ours_, EPOLLIN, 8);
  EXPECT_THAT(set_.Ready(), ElementsAre(8));
  set_.Change(ours_, 0, 8);
  EXPECT_FALSE(IsReadable(set_.fd()));
}

TEST_F(EventSetTest, WhatIsRemovedIsNotTold) {
  ASSERT_OK(set_.Add(ours_, EPOLLIN, 7));
  Send();
  const Fd copy = *Duplicate(ours_);  // As a forked child has it.
  set_.Remove(ours_);
  ours_.Close();
  EXPECT_FALSE(IsReadable(set_.fd()));
  EXPECT_THAT(set_.Ready(), IsEmpty());
}

TEST_F(EventSetTest, TheTimeThatHasComeMakesItReadableAndHasNoKey) {
  EXPECT_FALSE(IsReadable(set_.fd()));
  set_.WakeAt(absl::Milliseconds(1));
  EXPECT_TRUE(BecomesReadable(set_.fd()));
  EXPECT_THAT(set_.Ready(), IsEmpty());
  EXPECT_TRUE(IsReadable(set_.fd()));
  set_.WakeAt(Deadline::Never());
  EXPECT_FALSE(IsReadable(set_.fd()));
  set_.WakeAt(Deadline::Passed());
  EXPECT_TRUE(BecomesReadable(set_.fd()));
}

// R2
TEST(EventSetOfNothingTest, WithoutDescriptorsThereIsNone) {
  const World before = World::Now();
  for (const char* const call : {"EpollCreate", "TimerFd"}) {
    const OsTesting os({FailCall(call, EMFILE)});
    EXPECT_THAT(EventSet::Create(), StatusIs(absl::StatusCode::kResourceExhausted));
  }
  const OsTesting os({FailCall("EpollCtl", ENOSPC)});
  EXPECT_THAT(EventSet::Create(), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(World::Now(), before);
}

}  // namespace
}  // namespace ipc::testing
