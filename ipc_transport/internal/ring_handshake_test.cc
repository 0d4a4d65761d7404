#include "ipc_transport/internal/ring_handshake.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
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
#include "ipc_transport/internal/ring_layout.h"
#include "ipc_transport/internal/ring_parts.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/region.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::kLaneControlBytes;
using ::ipc::internal::RingHandshake;
using ::ipc::internal::RingParts;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr size_t kRingBytes = 4096;

// What goes over the socket; part of the protocol.
struct Hello {
  uint32_t magic = 0x676e6952;
  uint16_t oldest_version = 1;
  uint16_t newest_version = 1;
  uint64_t ring_bytes = kRingBytes;
};
static_assert(sizeof(Hello) == 16);

std::vector<std::byte> BytesOf(const Hello& hello) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(&hello);
  return {bytes, bytes + sizeof(hello)};
}

Region MakeOutbox(size_t bytes = kLaneControlBytes + kRingBytes, Sharing sharing = Sharing::kOneWriter) {
  return Region::Create("outbox", bytes, sharing).value();
}

absl::StatusOr<RingParts> Shake(Fd socket, Deadline deadline = Deadline::Passed()) {
  absl::StatusOr<RingHandshake> handshake = RingHandshake::Create(std::move(socket), kRingBytes);
  if (!handshake.ok()) return handshake.status();
  return std::move(*handshake).Receive(deadline);
}

// What becomes of a handshake whose peer sends `packet` with `descriptors`.
absl::StatusOr<RingParts> Meet(const std::vector<std::byte>& packet, const std::vector<FdView>& descriptors) {
  auto [here, stranger] = MakeSocketPair();
  const Blob part(packet);
  EXPECT_THAT(::ipc::internal::SendPacket(stranger, absl::MakeConstSpan(&part, 1), descriptors), IsOkAndHolds(true));
  return Shake(std::move(here));
}

TEST(RingHandshakeTest, TwoHalvesMakeTwoEnds) {
  auto [a_socket, b_socket] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(auto a, RingHandshake::Create(std::move(a_socket), kRingBytes));
  ASSERT_OK_AND_ASSIGN(auto b, RingHandshake::Create(std::move(b_socket), 2 * kRingBytes));
  ASSERT_OK(a.Send(TimeLimit()));
  ASSERT_OK(b.Send(TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const RingParts a_parts, std::move(a).Receive(Deadline::Passed()));
  ASSERT_OK_AND_ASSIGN(const RingParts b_parts, std::move(b).Receive(Deadline::Passed()));
  EXPECT_EQ(a_parts.own.size(), kLaneControlBytes + kRingBytes);
  EXPECT_EQ(a_parts.peer.size(), kLaneControlBytes + 2 * kRingBytes);
  EXPECT_EQ(b_parts.own.size(), a_parts.peer.size());
  EXPECT_TRUE(a_parts.owns_link);
  a_parts.own[kLaneControlBytes] = std::byte{5};
  EXPECT_EQ(b_parts.peer[kLaneControlBytes], std::byte{5});
  EXPECT_FALSE(a_parts.link->ended());
}

TEST(RingHandshakeTest, CreateRefusesBadArguments) {
  for (const size_t bytes : {size_t{0}, kRingBytes - 1, 3 * kRingBytes, size_t{1} << 31}) {
    auto [here, there] = MakeSocketPair();
    EXPECT_THAT(RingHandshake::Create(std::move(here), bytes), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  auto [stream, other] = MakeSocketPair(SOCK_STREAM);
  EXPECT_THAT(RingHandshake::Create(std::move(stream), kRingBytes),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("SEQPACKET")));
  EXPECT_THAT(RingHandshake::Create(Fd(), kRingBytes), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(RingHandshakeTest, AnHonestStrangerIsLetIn) {
  const Region outbox = MakeOutbox();
  EXPECT_OK(Meet(BytesOf({}), {outbox.fd()}));
}

// M1, M2
TEST(RingHandshakeTest, OtherBytesAreDataLoss) {
  const Region outbox = MakeOutbox();
  EXPECT_THAT(Meet(BytesOf({.magic = 1}), {outbox.fd()}), StatusIs(kDataLoss, HasSubstr("does not speak")));
  std::vector<std::byte> packet = BytesOf({});
  packet.push_back({});
  EXPECT_THAT(Meet(packet, {outbox.fd()}), StatusIs(kDataLoss));
  for (size_t bytes = 1; bytes < sizeof(Hello); ++bytes) {
    packet = BytesOf({});
    packet.resize(bytes);
    EXPECT_THAT(Meet(packet, {outbox.fd()}), StatusIs(kDataLoss)) << bytes;
  }
  std::minstd_rand random(1);
  for (int i = 0; i < 1000; ++i) {
    packet.resize(1 + random() % 32);
    for (std::byte& byte : packet) byte = static_cast<std::byte>(random());
    EXPECT_THAT(Meet(packet, {outbox.fd()}), StatusIs(kDataLoss));
  }
}

// V1
TEST(RingHandshakeTest, VersionsAreNegotiatedOrNamed) {
  const Region outbox = MakeOutbox();
  EXPECT_OK(Meet(BytesOf({.oldest_version = 0, .newest_version = 9}), {outbox.fd()}));
  const absl::Status newer = Meet(BytesOf({.oldest_version = 7, .newest_version = 9}), {outbox.fd()}).status();
  EXPECT_THAT(newer, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("here 1 to 1, the peer 7 to 9")));
  EXPECT_EQ(ReasonOf(newer), Reason::kWrongVersion);
  EXPECT_THAT(Meet(BytesOf({.oldest_version = 0, .newest_version = 0}), {outbox.fd()}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

// M3
TEST(RingHandshakeTest, SizesThatNoRingHasAreDataLoss) {
  const Region outbox = MakeOutbox();
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{kRingBytes} - 1, uint64_t{kRingBytes} + 1, uint64_t{1} << 31,
                               uint64_t{1} << 63, ~uint64_t{0}}) {
    EXPECT_THAT(Meet(BytesOf({.ring_bytes = bytes}), {outbox.fd()}), StatusIs(kDataLoss)) << bytes;
  }
  // A size that a ring may have, but not this one.
  EXPECT_THAT(Meet(BytesOf({.ring_bytes = 2 * kRingBytes}), {outbox.fd()}), StatusIs(kDataLoss));
}

// D1: too few, too many; the surplus is closed.
TEST(RingHandshakeTest, TheWrongNumberOfDescriptorsIsDataLoss) {
  const Region outbox = MakeOutbox();
  const World before = World::Now();
  for (const size_t count : {0, 2, 253}) {
    EXPECT_THAT(Meet(BytesOf({}), std::vector<FdView>(count, outbox.fd())), StatusIs(kDataLoss)) << count;
    EXPECT_EQ(World::Now(), before);
  }
}

// D2, H1
TEST(RingHandshakeTest, WhatIsNoOutboxIsDataLoss) {
  const Region shorter = MakeOutbox(kLaneControlBytes);
  const Region longer = MakeOutbox(kLaneControlBytes + 2 * kRingBytes);
  const Region many = MakeOutbox(kLaneControlBytes + kRingBytes, Sharing::kManyWriters);
  const auto [socket, other] = MakeSocketPair();
  const Fd file(open("/dev/null", O_RDWR | O_CLOEXEC));
  const Fd unsealed(memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(unsealed.get(), kLaneControlBytes + kRingBytes), 0);
  const World before = World::Now();
  for (const FdView fd : {shorter.fd(), longer.fd(), many.fd(), socket.view(), file.view(), unsealed.view()}) {
    EXPECT_THAT(Meet(BytesOf({}), {fd}), StatusIs(kDataLoss));
    EXPECT_EQ(World::Now(), before);
  }
}

TEST(RingHandshakeTest, ASilentPeerIsWaitedForNoLongerThanTheDeadline) {
  auto [here, there] = MakeSocketPair();
  EXPECT_THAT(Shake(std::move(here)), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(RingHandshakeTest, APeerThatLeavesIsNoticed) {
  auto [here, there] = MakeSocketPair();
  there.Close();
  const absl::Status gone = Shake(std::move(here), Deadline::Never()).status();
  EXPECT_THAT(gone, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(gone), Reason::kGone);
}

// F22
TEST(RingHandshakeTest, ASocketThatIsFullSaysSo) {
  auto [here, there] = MakeSocketPair();
  const std::byte byte[1] = {};
  const Blob part(byte);
  absl::StatusOr<bool> sent = true;
  while (sent.ok() && *sent) sent = ::ipc::internal::SendPacket(here, absl::MakeConstSpan(&part, 1), {});
  ASSERT_OK(sent);
  ASSERT_OK_AND_ASSIGN(auto handshake, RingHandshake::Create(std::move(here), kRingBytes));
  EXPECT_THAT(handshake.Send(Deadline::Passed()), StatusIs(absl::StatusCode::kResourceExhausted));
}

// F27
// F12: descriptors of others fill the kernel's books for a while.
TEST(RingHandshakeTest, RoomForADescriptorIsWaitedFor) {
  auto [here, there] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(RingHandshake handshake, RingHandshake::Create(std::move(here), 4096));
  const OsTesting os({FailCall("SendMsg", ETOOMANYREFS, {.times = 3})});
  EXPECT_OK(handshake.Send(TimeLimit()));
  EXPECT_EQ(os.calls("SendMsg"), 4);
}

TEST(RingHandshakeTest, InterruptedCallsLoseNothing) {
  const OsTesting os({FailCall("Poll", EINTR, {.times = kAlways, .every = 2}),
                      FailCall("RecvMsg", EINTR, {.times = kAlways, .every = 2}),
                      FailCall("SendMsg", EINTR, {.times = kAlways, .every = 2})});
  auto [a_socket, b_socket] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(auto a, RingHandshake::Create(std::move(a_socket), kRingBytes));
  ASSERT_OK_AND_ASSIGN(auto b, RingHandshake::Create(std::move(b_socket), kRingBytes));
  ASSERT_OK(a.Send(TimeLimit()));
  ASSERT_OK(b.Send(TimeLimit()));
  EXPECT_OK(std::move(a).Receive(TimeLimit()));
  EXPECT_OK(std::move(b).Receive(TimeLimit()));
  EXPECT_GE(os.interventions(), 4);
}

}  // namespace
}  // namespace ipc::testing
