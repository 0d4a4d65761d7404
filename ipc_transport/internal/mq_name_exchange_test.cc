#include "ipc_transport/internal/mq_name_exchange.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/mq_names.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::ExchangeMqNames;
using ::ipc::internal::ExchangeMqOpened;
using ::ipc::internal::MqName;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

// What goes over the socket; part of the protocol.
struct Hello {
  uint32_t magic = 0x6e4e714d;
  uint16_t oldest_version = 1;
  uint16_t newest_version = 1;
  char name[128] = "sluice-mq.01234567.1.2.3.4";
};
static_assert(sizeof(Hello) == 136);

std::vector<std::byte> BytesOf(const Hello& hello) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(&hello);
  return {bytes, bytes + sizeof(hello)};
}

// A socket whose peer has sent `packet`, and that peer.
std::pair<Fd, Fd> SocketWith(const std::vector<std::byte>& packet, const std::vector<FdView>& descriptors = {}) {
  auto [here, stranger] = MakeSocketPair();
  const Blob part(packet);
  EXPECT_THAT(::ipc::internal::SendPacket(stranger, absl::MakeConstSpan(&part, 1), descriptors), IsOkAndHolds(true));
  return {std::move(here), std::move(stranger)};
}

absl::StatusOr<std::string> Meet(const std::vector<std::byte>& packet) {
  const auto [here, stranger] = SocketWith(packet);
  return ExchangeMqNames(here, MqName::Next().ToString(), Deadline::Passed());
}

TEST(MqNameExchangeTest, EachLearnsTheOthersName) {
  const auto [a, b] = MakeSocketPair();
  const std::string a_name = MqName::Next().ToString();
  const std::string b_name = MqName::Next().ToString();
  std::thread other([&, &b = b] {
    EXPECT_THAT(ExchangeMqNames(b, b_name, TimeLimit()), IsOkAndHolds(a_name));
    EXPECT_THAT(ExchangeMqOpened(b, TimeLimit()), IsOk());
  });
  EXPECT_THAT(ExchangeMqNames(a, a_name, TimeLimit()), IsOkAndHolds(b_name));
  EXPECT_OK(ExchangeMqOpened(a, TimeLimit()));
  other.join();
}

// M1, M2
TEST(MqNameExchangeTest, OtherBytesAreDataLoss) {
  EXPECT_OK(Meet(BytesOf({})));
  EXPECT_THAT(Meet(BytesOf({.magic = 1})), StatusIs(kDataLoss));
  EXPECT_THAT(Meet(BytesOf({.name = "somebody-elses"})), StatusIs(kDataLoss));
  EXPECT_THAT(Meet(BytesOf({.name = ""})), StatusIs(kDataLoss));
  Hello endless;
  std::memset(endless.name, '7', sizeof(endless.name));
  EXPECT_THAT(Meet(BytesOf(endless)), StatusIs(kDataLoss));
  std::vector<std::byte> packet = BytesOf({});
  packet.push_back({});
  EXPECT_THAT(Meet(packet), StatusIs(kDataLoss));
  packet.resize(sizeof(Hello) - 1);
  EXPECT_THAT(Meet(packet), StatusIs(kDataLoss));
  for (uint32_t seed = 1; seed <= 1000; ++seed) {
    std::minstd_rand random(seed);
    packet.resize(1 + random() % 200);
    for (std::byte& byte : packet) byte = static_cast<std::byte>(random());
    EXPECT_THAT(Meet(packet), StatusIs(kDataLoss)) << seed;
  }
}

// D1
TEST(MqNameExchangeTest, ADescriptorIsDataLoss) {
  const auto [socket, other] = MakeSocketPair();
  const auto [here, stranger] = SocketWith(BytesOf({}), {socket});
  EXPECT_THAT(ExchangeMqNames(here, MqName::Next().ToString(), Deadline::Passed()), StatusIs(kDataLoss));
}

// V1
TEST(MqNameExchangeTest, VersionsAreNegotiatedOrNamed) {
  EXPECT_OK(Meet(BytesOf({.oldest_version = 0, .newest_version = 9})));
  const absl::Status newer = Meet(BytesOf({.oldest_version = 7, .newest_version = 9})).status();
  EXPECT_THAT(newer, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("here 1 to 1, the peer 7 to 9")));
  EXPECT_EQ(ReasonOf(newer), Reason::kWrongVersion);
}

TEST(MqNameExchangeTest, OnlyTheRightWordSaysOpened) {
  for (const uint32_t word : {0u, 0x6e4e714du, 0x704f714du}) {
    std::vector<std::byte> packet(sizeof(word));
    std::memcpy(packet.data(), &word, sizeof(word));
    const auto [here, stranger] = SocketWith(packet);
    EXPECT_EQ(ExchangeMqOpened(here, Deadline::Passed()).ok(), word == 0x704f714du) << word;
  }
}

TEST(MqNameExchangeTest, ASilentPeerIsWaitedForNoLongerThanTheDeadline) {
  const auto [here, there] = MakeSocketPair();
  EXPECT_THAT(ExchangeMqNames(here, MqName::Next().ToString(), Deadline::Passed()),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(ExchangeMqOpened(here, Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

}  // namespace
}  // namespace ipc::testing
