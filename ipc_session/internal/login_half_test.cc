#include "ipc_session/internal/login_half.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/testing/fake_memory.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ipc::internal::LoginHalf;
using ipc::internal::MemoryKind;
using ipc::internal::SessionCore;
using ipc::internal::Side;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

std::vector<Fd> Duplicates(const std::vector<FdView>& descriptors) {
  std::vector<Fd> result;
  for (const FdView descriptor : descriptors) result.push_back(*Duplicate(descriptor));
  return result;
}

// `to` takes in what `from` offers.
absl::Status Pass(LoginHalf& from, LoginHalf& to, const SessionOptions& options = {}) {
  absl::StatusOr<LoginHalf::Outgoing> outgoing = from.Offer(options);
  if (!outgoing.ok()) return outgoing.status();
  return to.Adopt(std::move(outgoing->terms), Duplicates(outgoing->descriptors));
}

TEST(LoginHalfTest, KindIsTheFactorys) {
  EXPECT_EQ(ipc::internal::KindOf(nullptr), MemoryKind::kHeap);
  const FakeMemoryFactory factory;
  EXPECT_EQ(ipc::internal::KindOf(&factory), MemoryKind::kClassic);
}

TEST(LoginHalfTest, OffersWhatTheOptionsSay) {
  SessionOptions options;
  options.channels = 5;
  options.ring_bytes = 8192;
  options.metadata = "of mine";
  options.arena_bytes = 12345;
  options.arena_decay = absl::Milliseconds(77);
  const FakeMemoryFactory factory(2);
  ASSERT_OK_AND_ASSIGN(LoginHalf half, LoginHalf::Create(Side::kClient, "app", options, &factory));
  ASSERT_OK_AND_ASSIGN(const LoginHalf::Outgoing outgoing, half.Offer(options));
  EXPECT_EQ(outgoing.terms.kind, MemoryKind::kClassic);
  EXPECT_EQ(outgoing.terms.channels, 5u);
  EXPECT_EQ(outgoing.terms.outbox, ipc::internal::OutboxLayout::For(0, 8192, 5));
  EXPECT_EQ(outgoing.terms.metadata, "of mine");
  EXPECT_THAT(outgoing.terms.region_bytes, ElementsAre(4096, 8192));
  EXPECT_EQ(outgoing.descriptors.size(), outgoing.terms.descriptors());
  EXPECT_THAT(outgoing.terms.places, ElementsAre(5096, 9192));
  EXPECT_EQ(factory.diary().arena_bytes, 12345u);
  EXPECT_EQ(factory.diary().arena_decay, absl::Milliseconds(77));
  EXPECT_EQ(factory.diary().client_app, "app");
}

TEST(LoginHalfTest, TwoHalvesMakeASession) {
  const FakeMemoryFactory client_factory(1), server_factory(2);
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
  ASSERT_OK_AND_ASSIGN(LoginHalf client, LoginHalf::Create(Side::kClient, "app", {}, &client_factory));
  ASSERT_OK_AND_ASSIGN(LoginHalf server, LoginHalf::Create(Side::kServer, "app", {}, &server_factory));
  SessionOptions options;
  options.metadata = "of the client";
  ASSERT_OK(Pass(client, server, options));
  ASSERT_OK(server.AgreeOn(2));
  ASSERT_OK(Pass(server, client));
  ASSERT_OK(client.AgreeOn(2));
  ASSERT_OK_AND_ASSIGN(auto client_core, std::move(client).Open(Fd(sockets[0]), PidFd(), {.app = "s"}));
  ASSERT_OK_AND_ASSIGN(auto server_core, std::move(server).Open(Fd(sockets[1]), PidFd(), {.app = "c"}));
  EXPECT_EQ(client_core->channel_count(), 2);
  EXPECT_EQ(server_core->peer().app, "c");
  EXPECT_EQ(server_core->peer_metadata(), "of the client");

  const MemoryDiary& clients = client_factory.diary();
  const MemoryDiary& servers = server_factory.diary();
  EXPECT_EQ(clients.calls, "offer adopt open");
  EXPECT_EQ(servers.calls, "adopt offer open");
  EXPECT_THAT(clients.adopted_bytes, ElementsAre(4096, 8192));
  EXPECT_THAT(servers.adopted_bytes, ElementsAre(4096));
  EXPECT_THAT(clients.adopted_places, ElementsAre(5096, 9192));
  EXPECT_THAT(servers.adopted_places, ElementsAre(5096));
  // The counters stay mapped beyond the session.
  client_core.reset();
  server_core.reset();
  ASSERT_EQ(clients.counters.own.size(), ipc::internal::kLoanSlots);
  clients.counters.own[7].store(3, std::memory_order_relaxed);
  EXPECT_EQ(servers.counters.peer[7].load(std::memory_order_relaxed), 3u);
}

// D1
TEST(LoginHalfTest, DescriptorsMustBeAsManyAsTheTermsSay) {
  for (const int change : {-1, 1}) {
    ASSERT_OK_AND_ASSIGN(LoginHalf client, LoginHalf::Create(Side::kClient, "app", {}, nullptr));
    ASSERT_OK_AND_ASSIGN(LoginHalf server, LoginHalf::Create(Side::kServer, "app", {}, nullptr));
    ASSERT_OK_AND_ASSIGN(LoginHalf::Outgoing outgoing, client.Offer({}));
    std::vector<Fd> descriptors = Duplicates(outgoing.descriptors);
    if (change < 0) descriptors.pop_back();
    if (change > 0) descriptors.push_back(*Duplicate(outgoing.descriptors[0]));
    EXPECT_THAT(server.Adopt(std::move(outgoing.terms), std::move(descriptors)),
                StatusIs(kDataLoss, HasSubstr("where 1 are due")));
  }
}

TEST(LoginHalfTest, RegionsHaveNoPlaceOnTheHeap) {
  const FakeMemoryFactory factory(1);
  ASSERT_OK_AND_ASSIGN(LoginHalf client, LoginHalf::Create(Side::kClient, "app", {}, &factory));
  ASSERT_OK_AND_ASSIGN(LoginHalf server, LoginHalf::Create(Side::kServer, "app", {}, nullptr));
  EXPECT_THAT(Pass(client, server), StatusIs(kDataLoss, HasSubstr("without shared memory")));
}

TEST(LoginHalfTest, MemoryMayRefuseWhatThePeerOffers) {
  const FakeMemoryFactory client_factory(1), server_factory(1, absl::DataLossError("not mine"));
  ASSERT_OK_AND_ASSIGN(LoginHalf client, LoginHalf::Create(Side::kClient, "app", {}, &client_factory));
  ASSERT_OK_AND_ASSIGN(LoginHalf server, LoginHalf::Create(Side::kServer, "app", {}, &server_factory));
  EXPECT_THAT(Pass(client, server), StatusIs(kDataLoss, "not mine"));
}

TEST(LoginHalfTest, MoreRegionsThanTravelAreABugOfTheMemory) {
  const FakeMemoryFactory factory(ipc::internal::SessionMemory::kMaxRegions + 1);
  ASSERT_OK_AND_ASSIGN(LoginHalf half, LoginHalf::Create(Side::kClient, "app", {}, &factory));
  EXPECT_THAT(half.Offer({}), StatusIs(absl::StatusCode::kInternal, HasSubstr("5 regions")));
}

}  // namespace
}  // namespace ipc::testing
