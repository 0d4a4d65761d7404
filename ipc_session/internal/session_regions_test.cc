// Regions that a session announces after the login: from honest peers, from others, and when something is short.

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/channel_frames.h"
#include "ipc_session/internal/limits.h"
#include "ipc_session/internal/session_channels.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/testing/core_pair.h"
#include "ipc_session/testing/fake_memory.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::kMaxLaterRegions;
using ::ipc::internal::RegionExchange;
using ::ipc::internal::RegionFrame;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr uint32_t kFirst = ::ipc::internal::SessionMemory::kFirstLaterRegion;

std::shared_ptr<FakeMemory> MemoryFor(const std::shared_ptr<MemoryDiary>& diary,
                                      absl::Status adopt_status = absl::OkStatus()) {
  return std::make_shared<FakeMemory>(0, std::move(adopt_status), diary);
}

class SessionRegionsTest : public ::testing::Test {
 protected:
  RegionExchange& ours() { return *pair_.first->channels(); }
  absl::Status Look() { return pair_.second->channels()->Process(); }
  absl::StatusOr<uint32_t> Announce(uint64_t bytes) { return ours().Announce({.fd = FdView(0), .bytes = bytes}, 77); }

  std::shared_ptr<MemoryDiary> diary_ = std::make_shared<MemoryDiary>();
  CorePair pair_ = MakeCorePair(1, MemoryFor(std::make_shared<MemoryDiary>()), MemoryFor(diary_));
};

TEST_F(SessionRegionsTest, ArriveInTheirOrder) {
  EXPECT_THAT(Announce(1000), IsOkAndHolds(kFirst));
  EXPECT_THAT(Announce(2000), IsOkAndHolds(kFirst + 1));
  EXPECT_TRUE(ours().IsAnnounced(kFirst));
  ASSERT_OK(Look());
  EXPECT_THAT(diary_->later, ElementsAre("1000 at 77", "2000 at 77"));
  EXPECT_EQ(diary_->exchange.lock(), pair_.second->channels());
}

TEST_F(SessionRegionsTest, ThereIsALimit) {
  for (uint32_t i = 0; i < kMaxLaterRegions; ++i) ASSERT_OK(Announce(1000));
  EXPECT_THAT(Announce(1000), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("has shared 16 arenas")));
  ASSERT_OK(Look());
  EXPECT_EQ(diary_->later.size(), kMaxLaterRegions);
}

// B3: nothing waits, and what found no room goes out once there is some.
TEST_F(SessionRegionsTest, WithAFullSocketTheyGoOutLater) {
  {
    const OsTesting os({FailCall("SendMsg", EAGAIN, {.times = kAlways})});
    EXPECT_THAT(Announce(1000), IsOkAndHolds(kFirst));
    EXPECT_FALSE(ours().IsAnnounced(kFirst));
    ASSERT_OK(Look());
    EXPECT_THAT(diary_->later, IsEmpty());
  }
  EXPECT_TRUE(ours().IsAnnounced(kFirst));
  ASSERT_OK(Look());
  EXPECT_THAT(diary_->later, ElementsAre("1000 at 77"));
}

TEST_F(SessionRegionsTest, OfASessionThatHasEndedAreRefused) {
  pair_.second->End();
  EXPECT_THAT(Announce(1000), StatusIs(absl::StatusCode::kUnavailable));
  pair_.first->End();
  EXPECT_THAT(Announce(1000), StatusIs(absl::StatusCode::kUnavailable));
}

// What was sent before the end is taken in after it.
TEST_F(SessionRegionsTest, AreTakenInAfterTheEndOfThePeer) {
  ASSERT_OK(Announce(1000));
  pair_.first->End();
  EXPECT_THAT(Look(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(diary_->later, ElementsAre("1000 at 77"));
}

// R2: no descriptor is to be had for one; it counts as announced.
SLUICE_CHILD_ROLE(crowded_receiver) {
  const auto diary = std::make_shared<MemoryDiary>();
  const CoreAndStranger peer = MakeCoreAndStranger(1, MemoryFor(diary));
  const FdView descriptor(0);
  const auto announce = [&](uint32_t number) {
    peer.Send(Encode(RegionFrame{.number = number, .bytes = 1000, .address = 77}), absl::MakeConstSpan(&descriptor, 1));
  };
  announce(kFirst);
  std::vector<Fd> gaps;  // Numbers count, not descriptors.
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  for (Fd fd(dup(0)); static_cast<size_t>(fd.get()) < World::Now().descriptors.size() - 1; fd = Fd(dup(0))) {
    gaps.push_back(std::move(fd));
  }
  const World before = World::Now();
  const rlimit none = {.rlim_cur = before.descriptors.size(), .rlim_max = limit.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &none) != 0) return 1;
  const absl::Status crowded = peer.core->channels()->Process();
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  announce(kFirst + 1);
  const absl::Status after = peer.core->channels()->Process();
  TellParent(absl::StrCat(crowded.ToString(), ", ", after.ToString(), ", ", diary->later.size()));
  for (const std::string& later : diary->later) TellParent(later);
  return 0;
}

TEST(SessionRegionsLimitsTest, ADescriptorTooFewLeavesTheSession) {
  Child child = Child::Start("crowded_receiver");
  EXPECT_EQ(child.Hear(), "OK, OK, 2");
  EXPECT_THAT(child.Hear(), HasSubstr("RESOURCE_EXHAUSTED: no room for the peer's descriptors"));
  EXPECT_EQ(child.Hear(), "1000 at 77");
}

// M5, D1, D2: one that must not be there.
TEST(SessionRegionsHostileTest, WrongAnnouncementsEndTheSession) {
  const FdView descriptors[] = {FdView(0), FdView(0)};
  const struct {
    std::vector<uint32_t> numbers;
    size_t descriptors;
    const char* error;
  } kScripts[] = {
      {{0}, 1, "as 0 is not 2, which is the next"},
      {{1}, 1, "is not 2"},
      {{3}, 1, "is not 2"},
      {{UINT32_MAX}, 1, "is not 2"},
      {{2, 2}, 1, "is not 3"},
      {{2, 4}, 1, "is not 3"},
      {{2}, 0, "came with 0 descriptors, where 1 is due"},
      {{2}, 2, "came with 2 descriptors"},
      {{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}, 1, "as 18 is one more than 16"},
  };
  const World before = World::Now();
  for (const auto& script : kScripts) {
    const CoreAndStranger peer = MakeCoreAndStranger(1, MemoryFor(std::make_shared<MemoryDiary>()));
    for (const uint32_t number : script.numbers) {
      peer.Send(Encode(RegionFrame{.number = number, .bytes = 1000}),
                absl::MakeConstSpan(descriptors).subspan(0, script.descriptors));
    }
    EXPECT_THAT(peer.core->channels()->Process(), StatusIs(kDataLoss, HasSubstr(script.error)));
  }
  EXPECT_EQ(World::Now(), before);
}

TEST(SessionRegionsHostileTest, ASessionOnTheHeapTakesNone) {
  const CoreAndStranger peer = MakeCoreAndStranger(1);
  const FdView descriptor(0);
  peer.Send(Encode(RegionFrame{.number = kFirst, .bytes = 1000}), absl::MakeConstSpan(&descriptor, 1));
  EXPECT_THAT(peer.core->channels()->Process(), StatusIs(kDataLoss, HasSubstr("a session without shared memory")));
}

TEST(SessionRegionsHostileTest, WhatTheMemoryDoesNotTakeEndsTheSession) {
  const CoreAndStranger peer =
      MakeCoreAndStranger(1, MemoryFor(std::make_shared<MemoryDiary>(), absl::DataLossError("no region")));
  const FdView descriptor(0);
  peer.Send(Encode(RegionFrame{.number = kFirst, .bytes = 1000}), absl::MakeConstSpan(&descriptor, 1));
  EXPECT_THAT(peer.core->channels()->Process(), StatusIs(kDataLoss, HasSubstr("no region")));
}

}  // namespace
}  // namespace ipc::testing
