#include "ipc_transport/structured/internal/message_stats.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>

#include "gtest/gtest.h"
#include "ipc_transport/structured/counters.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr size_t kLast = MessageCounters::kTypes - 1;

TEST(MessageStatsTest, NothingIsCountedAtFirst) {
  const MessageCounters counters = MessageStats().Read();
  EXPECT_EQ(counters.messages, 0u);
  EXPECT_EQ(counters.bytes, 0u);
  EXPECT_EQ(counters.stored_messages, 0u);
  EXPECT_EQ(counters.stored_bytes, 0u);
  for (const uint64_t count : counters.types) EXPECT_EQ(count, 0u);
}

TEST(MessageStatsTest, CountsByType) {
  MessageStats stats;
  for (uint16_t type = 0; type < kLast; ++type) {
    for (int i = 0; i <= type; ++i) stats.Count(type, 1, 0);
  }
  const MessageCounters counters = stats.Read();
  for (size_t type = 0; type < kLast; ++type) EXPECT_EQ(counters.types[type], type + 1);
  EXPECT_EQ(counters.types[kLast], 0u);
  EXPECT_EQ(counters.messages, kLast * (kLast + 1) / 2);
  EXPECT_EQ(counters.bytes, counters.messages);
}

TEST(MessageStatsTest, ManyTypesAndNoneCountAsTheLast) {
  MessageStats stats;
  stats.Count(kLast - 1, 1, 0);
  for (const uint16_t type : {kLast, kLast + 1, size_t{65535}}) stats.Count(type, 1, 0);
  stats.Count(std::nullopt, 1, 0);
  const MessageCounters counters = stats.Read();
  EXPECT_EQ(counters.types[kLast], 4u);
  EXPECT_EQ(counters.types[kLast - 1], 1u);
  EXPECT_EQ(counters.messages, 5u);
}

TEST(MessageStatsTest, CountsWhatIsStoredApart) {
  MessageStats stats;
  stats.Count(0, 100, 0);
  stats.Count(0, 20, 5'000'000'000);
  stats.Count(0, 3, 1);
  const MessageCounters counters = stats.Read();
  EXPECT_EQ(counters.messages, 3u);
  EXPECT_EQ(counters.bytes, 123u);
  EXPECT_EQ(counters.stored_messages, 2u);
  EXPECT_EQ(counters.stored_bytes, 5'000'000'001u);
}

TEST(MessageStatsTest, OneThreadReadsWhileAnotherWrites) {
  constexpr uint64_t kMessages = 20'000;
  MessageStats stats;
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (uint64_t i = 0; i < kMessages; ++i) stats.Count(static_cast<uint16_t>(i % 70), 2, 3);
    done.store(true, std::memory_order_relaxed);  // The reader wants nothing else of it.
  });
  MessageCounters before;
  while (!done.load(std::memory_order_relaxed)) {
    const MessageCounters now = stats.Read();
    EXPECT_GE(now.messages, before.messages);
    EXPECT_GE(now.bytes, before.bytes);
    EXPECT_GE(now.stored_bytes, before.stored_bytes);
    before = now;
  }
  writer.join();
  EXPECT_EQ(stats.Read().messages, kMessages);
  EXPECT_EQ(stats.Read().bytes, 2 * kMessages);
  EXPECT_EQ(stats.Read().stored_messages, kMessages);
  EXPECT_EQ(stats.Read().stored_bytes, 3 * kMessages);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
