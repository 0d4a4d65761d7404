#include "ipc_session/internal/session_registry.h"

#include <cstddef>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_session/testing/core_pair.h"
#include "ipc_transport/channel.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ipc::internal::kMaxListedChannels;
using ipc::internal::kMaxListedSessions;
using ipc::internal::MemoryKind;
using ipc::internal::ServerReport;
using ipc::internal::SessionRegistry;

constexpr std::byte kOne[] = {std::byte{1}};

TEST(SessionRegistryTest, ListsLiveSessionsAndKeepsNoneAlive) {
  const World before = World::Now();
  SessionRegistry registry;
  CorePair first = MakeCorePair(1);
  registry.Add(first.first);
  {
    const CorePair second = MakeCorePair(2);
    registry.Add(second.first);
    const ServerReport report = registry.Report("cacheSrv", MemoryKind::kHeap);
    EXPECT_EQ(report.app, "cacheSrv");
    EXPECT_EQ(report.sessions, 2);
    ASSERT_EQ(report.listed.size(), 2);
    EXPECT_EQ(report.listed[0].channels, 1);
    EXPECT_EQ(report.listed[1].channels, 2);
    EXPECT_GT(report.listed[0].opened_unix_nanos, 0);
  }
  EXPECT_EQ(registry.Report("cacheSrv", MemoryKind::kHeap).sessions, 1);
  first = {};
  EXPECT_EQ(registry.Report("cacheSrv", MemoryKind::kHeap).sessions, 0);
  EXPECT_EQ(World::Now(), before);
}

TEST(SessionRegistryTest, TellsWhichHaveEnded) {
  SessionRegistry registry;
  CorePair pair = MakeCorePair(1);
  registry.Add(pair.first);
  EXPECT_FALSE(registry.Report("cacheSrv", MemoryKind::kHeap).listed.at(0).has_ended);
  pair.first->End();
  EXPECT_TRUE(registry.Report("cacheSrv", MemoryKind::kHeap).listed.at(0).has_ended);
}

TEST(SessionRegistryTest, CountsChannelsThatAreInUse) {
  SessionRegistry registry;
  const CorePair pair = MakeCorePair(2);
  registry.Add(pair.first);
  {
    Channel channel = pair.first->channels()->TakeFirst(1);
    EXPECT_THAT(channel.TrySend(kOne), IsOkAndHolds(true));
    const ServerReport report = registry.Report("cacheSrv", MemoryKind::kHeap);
    ASSERT_EQ(report.listed.at(0).listed.size(), 2);
    EXPECT_EQ(report.listed[0].listed[0].sent.messages, 0);
    EXPECT_EQ(report.listed[0].listed[1].sent.messages, 1);
    EXPECT_EQ(report.listed[0].listed[1].sent.bytes, 1);
    EXPECT_GT(report.listed[0].listed[1].unread_bytes, 0);
  }
  EXPECT_EQ(registry.Report("cacheSrv", MemoryKind::kHeap).listed.at(0).channels, 1);
}

TEST(SessionRegistryTest, ListsNoMoreThanItMay) {
  SessionRegistry registry;
  constexpr size_t kChannels = 60;
  constexpr size_t kFull = kMaxListedChannels / kChannels;  // Sessions with all their channels.
  const CorePair pair = MakeCorePair(kChannels);
  for (size_t i = 0; i <= kMaxListedSessions; ++i) registry.Add(pair.first);
  const ServerReport report = registry.Report("cacheSrv", MemoryKind::kHeap);
  EXPECT_EQ(report.sessions, kMaxListedSessions + 1);
  ASSERT_EQ(report.listed.size(), kMaxListedSessions);
  EXPECT_EQ(report.listed[kFull - 1].listed.size(), kChannels);
  EXPECT_EQ(report.listed[kFull].listed.size(), kMaxListedChannels - kFull * kChannels);
  EXPECT_EQ(report.listed[kFull].channels, kChannels);
  EXPECT_TRUE(report.listed[kFull + 1].listed.empty());
}

TEST(SessionRegistryTest, ReportsWhileChannelsComeAndGo) {  // For the thread sanitizer.
  SessionRegistry registry;
  CorePair pair = MakeCorePair(64);
  registry.Add(pair.first);
  std::thread user([&] {
    for (int i = 0; i < 64; ++i) {
      Channel channel = pair.first->channels()->TakeFirst(i);
      EXPECT_THAT(channel.TrySend(kOne), IsOkAndHolds(true));
    }
    pair.first.reset();
  });
  while (registry.Report("cacheSrv", MemoryKind::kHeap).sessions > 0) std::this_thread::yield();
  user.join();
}

}  // namespace
}  // namespace ipc::testing
