#include "ipc_transport/internal/mq_handshake.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/mq_queue.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::MakeMqQueue;
using ::ipc::internal::MqHandshake;
using ::ipc::internal::MqParts;
using ::ipc::internal::MqQueue;
using ::ipc::internal::MqShape;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr MqShape kShape = {.message_bytes = 64, .messages = 3};

// What goes over the socket; part of the protocol.
struct Hello {
  uint32_t magic = 0x6950714d;
  uint16_t oldest_version = 1;
  uint16_t newest_version = 1;
  uint32_t message_bytes = 64;
  uint32_t messages = 3;
};
static_assert(sizeof(Hello) == 16);

std::vector<std::byte> BytesOf(const Hello& hello) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(&hello);
  return {bytes, bytes + sizeof(hello)};
}

absl::StatusOr<MqParts> Shake(Fd socket, Deadline deadline = Deadline::Passed()) {
  absl::StatusOr<MqHandshake> handshake = MqHandshake::Create(std::move(socket), kShape);
  if (!handshake.ok()) return handshake.status();
  return std::move(*handshake).Receive(deadline);
}

// What becomes of a handshake whose peer sends `packet` with `descriptors`.
absl::StatusOr<MqParts> Meet(const std::vector<std::byte>& packet, const std::vector<FdView>& descriptors) {
  auto [here, stranger] = MakeSocketPair();
  const Blob part(packet);
  EXPECT_THAT(::ipc::internal::SendPacket(stranger, absl::MakeConstSpan(&part, 1), descriptors), IsOkAndHolds(true));
  return Shake(std::move(here));
}

TEST(MqHandshakeTest, TwoHalvesMakeTwoEnds) {
  auto [a_socket, b_socket] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(auto a, MqHandshake::Create(std::move(a_socket), kShape));
  ASSERT_OK_AND_ASSIGN(auto b, MqHandshake::Create(std::move(b_socket), {.message_bytes = 128, .messages = 2}));
  ASSERT_OK(a.Send(TimeLimit()));
  ASSERT_OK(b.Send(TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const MqParts a_parts, std::move(a).Receive(Deadline::Passed()));
  ASSERT_OK_AND_ASSIGN(const MqParts b_parts, std::move(b).Receive(Deadline::Passed()));
  EXPECT_EQ(a_parts.own_shape.message_bytes, 64u);
  EXPECT_EQ(a_parts.peer_shape.message_bytes, 128u);
  EXPECT_EQ(a_parts.peer_shape.messages, 2u);
  EXPECT_EQ(b_parts.peer_shape.message_bytes, 64u);
  EXPECT_FALSE(a_parts.link->ended());
}

TEST(MqHandshakeTest, PassesItsPointsInOrder) {
  auto [a_socket, b_socket] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(auto b, MqHandshake::Create(std::move(b_socket), kShape));
  ASSERT_OK(b.Send(TimeLimit()));
  const OsTesting os;
  ASSERT_OK_AND_ASSIGN(auto a, MqHandshake::Create(std::move(a_socket), kShape));
  ASSERT_OK(a.Send(TimeLimit()));
  ASSERT_OK(std::move(a).Receive(Deadline::Passed()));
  EXPECT_THAT(os.points(), ElementsAre("mq.created", "mq.opened", "mq.unlinked", "mq.hello.sent", "mq.hello.received"));
}

TEST(MqHandshakeTest, AStreamSocketIsRefusedBeforeAQueueIsMade) {
  auto [stream, other] = MakeSocketPair(SOCK_STREAM);
  const OsTesting os;
  EXPECT_THAT(MqHandshake::Create(std::move(stream), kShape), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(os.calls("MqOpen"), 0);
}

TEST(MqHandshakeTest, AnHonestStrangerIsLetIn) {
  ASSERT_OK_AND_ASSIGN(const MqQueue queue, MakeMqQueue(kShape));
  EXPECT_OK(Meet(BytesOf({}), {queue.reader}));
}

// M1, M2
TEST(MqHandshakeTest, OtherBytesAreDataLoss) {
  ASSERT_OK_AND_ASSIGN(const MqQueue queue, MakeMqQueue(kShape));
  EXPECT_THAT(Meet(BytesOf({.magic = 1}), {queue.reader}), StatusIs(kDataLoss, HasSubstr("does not speak")));
  std::vector<std::byte> packet = BytesOf({});
  packet.push_back({});
  EXPECT_THAT(Meet(packet, {queue.reader}), StatusIs(kDataLoss));
  for (size_t bytes = 1; bytes < sizeof(Hello); ++bytes) {
    packet = BytesOf({});
    packet.resize(bytes);
    EXPECT_THAT(Meet(packet, {queue.reader}), StatusIs(kDataLoss)) << bytes;
  }
  for (uint32_t seed = 1; seed <= 1000; ++seed) {
    std::minstd_rand random(seed);
    packet.resize(1 + random() % 32);
    for (std::byte& byte : packet) byte = static_cast<std::byte>(random());
    EXPECT_THAT(Meet(packet, {queue.reader}), StatusIs(kDataLoss)) << seed;
  }
}

// V1
TEST(MqHandshakeTest, VersionsAreNegotiatedOrNamed) {
  ASSERT_OK_AND_ASSIGN(const MqQueue queue, MakeMqQueue(kShape));
  EXPECT_OK(Meet(BytesOf({.oldest_version = 0, .newest_version = 9}), {queue.reader}));
  const absl::Status newer = Meet(BytesOf({.oldest_version = 7, .newest_version = 9}), {queue.reader}).status();
  EXPECT_THAT(newer, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("here 1 to 1, the peer 7 to 9")));
  EXPECT_EQ(ReasonOf(newer), Reason::kWrongVersion);
  EXPECT_THAT(Meet(BytesOf({.oldest_version = 0, .newest_version = 0}), {queue.reader}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

// M3
TEST(MqHandshakeTest, SizesThatAreNotTheQueuesAreDataLoss) {
  ASSERT_OK_AND_ASSIGN(const MqQueue queue, MakeMqQueue(kShape));
  for (const uint32_t bytes : {0u, 1u, 16u, 63u, 65u, (1u << 24) + 1, UINT32_MAX}) {
    EXPECT_THAT(Meet(BytesOf({.message_bytes = bytes}), {queue.reader}), StatusIs(kDataLoss)) << bytes;
  }
  for (const uint32_t messages : {0u, 1u, 2u, 4u, 65537u, UINT32_MAX}) {
    EXPECT_THAT(Meet(BytesOf({.messages = messages}), {queue.reader}), StatusIs(kDataLoss)) << messages;
  }
}

// A real queue whose messages have no room for a payload.
TEST(MqHandshakeTest, AQueueThatIsTooSmallIsDataLoss) {
  ASSERT_OK_AND_ASSIGN(const MqQueue narrow, MakeMqQueue({.message_bytes = 16, .messages = 3}));
  EXPECT_THAT(Meet(BytesOf({.message_bytes = 16}), {narrow.reader}), StatusIs(kDataLoss));
  ASSERT_OK_AND_ASSIGN(const MqQueue flat, MakeMqQueue({.message_bytes = 64, .messages = 1}));
  EXPECT_THAT(Meet(BytesOf({.messages = 1}), {flat.reader}), StatusIs(kDataLoss));
}

// D1: too few, too many; the surplus is closed.
TEST(MqHandshakeTest, TheWrongNumberOfDescriptorsIsDataLoss) {
  ASSERT_OK_AND_ASSIGN(const MqQueue queue, MakeMqQueue(kShape));
  const World before = World::Now();
  for (const size_t count : {0, 2, 253}) {
    EXPECT_THAT(Meet(BytesOf({}), std::vector<FdView>(count, queue.reader.view())), StatusIs(kDataLoss)) << count;
    EXPECT_EQ(World::Now(), before);
  }
}

// D2, H1
TEST(MqHandshakeTest, WhatIsNoReaderOfAQueueIsDataLoss) {
  ASSERT_OK_AND_ASSIGN(const MqQueue queue, MakeMqQueue(kShape));
  const auto [socket, other] = MakeSocketPair();
  const Fd file(open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  const World before = World::Now();
  for (const FdView fd : {queue.writer.view(), socket.view(), file.view()}) {
    EXPECT_THAT(Meet(BytesOf({}), {fd}), StatusIs(kDataLoss));
    EXPECT_EQ(World::Now(), before);
  }
}

TEST(MqHandshakeTest, ASilentPeerIsWaitedForNoLongerThanTheDeadline) {
  auto [here, there] = MakeSocketPair();
  EXPECT_THAT(Shake(std::move(here)), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(MqHandshakeTest, APeerThatLeavesIsNoticed) {
  auto [here, there] = MakeSocketPair();
  there.Close();
  const absl::Status gone = Shake(std::move(here), Deadline::Never()).status();
  EXPECT_THAT(gone, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(gone), Reason::kGone);
}

}  // namespace
}  // namespace ipc::testing
