// Code of guide.md, compiled and run: what lies between the marks stands there word for word. Structures in shared
// memory.

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "doc/guide_testing.h"
#include "doc/guide_universe.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/process_limit.h"
#include "ipc_shm_classic/session.h"
#include "ipc_transport/channel.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace memory = ipc::session::shm::classic;

// [guide
using Prices = ipc::shm::map<ipc::shm::string, double>;

// In the host, before clients come. It lives as long as somebody here owns it, or a client has it borrowed.
absl::StatusOr<std::shared_ptr<Prices>> MakePrices(memory::Server& server) {
  auto arena = server.ArenaFor(kGreeter.name);
  if (!arena.ok()) return arena.status();
  absl::StatusOr<std::shared_ptr<Prices>> prices = arena->Construct<Prices>();
  if (!prices.ok()) return prices.status();
  (*prices)->emplace("tea", 2.5);
  (*prices)->emplace("a pot of the tea that the house is famous for", 8.0);
  return prices;
}

// To each client.
absl::Status LendPrices(memory::Session& session, const std::shared_ptr<Prices>& prices) {
  ipc::Channel channel = session.TakeChannel(0);
  absl::StatusOr<ipc::shm::Loan> loan = session.Lend(prices);
  if (!loan.ok()) return loan.status();
  return ipc::shm::SendLoan(channel, *std::move(loan));
}

// In a client.
absl::StatusOr<std::shared_ptr<const Prices>> BorrowPrices(memory::Session& session) {
  ipc::Channel channel = session.TakeChannel(0);
  absl::StatusOr<ipc::shm::LoanRef> ref = ipc::shm::ReceiveLoan(channel, absl::Seconds(5));
  if (!ref.ok()) return ref.status();
  return session.Borrow<Prices>(*ref);
}
// guide]

// [guide
struct Menu {
  memory::OwnArena arena;
  std::shared_ptr<Prices> prices;
};

// At any time, with or without sessions.
absl::StatusOr<Menu> MakeMenu() {
  absl::StatusOr<memory::OwnArena> arena = memory::OwnArena::Create(uint64_t{64} << 20);
  if (!arena.ok()) return arena.status();
  absl::StatusOr<std::shared_ptr<Prices>> prices = arena->Construct<Prices>();
  if (!prices.ok()) return prices.status();
  (*prices)->emplace("tea", 2.5);
  return Menu{*std::move(arena), *std::move(prices)};
}

// To each peer, whichever side this is; it borrows as ever.
absl::Status LendMenu(memory::Session& session, const Menu& menu) {
  if (absl::Status shared = session.Share(menu.arena); !shared.ok()) return shared;  // Once more does nothing.
  ipc::Channel channel = session.TakeChannel(0);
  absl::StatusOr<ipc::shm::Loan> loan = session.Lend(menu.prices);
  if (!loan.ok()) return loan.status();
  return ipc::shm::SendLoan(channel, *std::move(loan));
}
// guide]

// [guide
void SetPrice(memory::Session& session, Prices& prices, absl::string_view what, double price) {
  const ipc::shm::ArenaScope scope(session.arena());  // Where the key is made, before the map sees it.
  prices[ipc::shm::string(what)] = price;
}
// guide]

// [guide
struct Place {
  static constexpr uint32_t kIpcVersion = 1;  // Raise it when members change.

  int32_t row = 0;
  int32_t seat = 0;

  friend bool operator==(const Place&, const Place&) = default;
  friend uint64_t SluiceHashValue(const Place& place) { return ipc::shm::Hash::Of(place.row, place.seat); }
};

struct Hall {
  ipc::shm::unordered_map<Place, ipc::shm::string> guests;
  std::forward_list<Place, ipc::shm::Allocator<Place>> free;  // Any container that takes an allocator.
};
// guide]

// [guide
// Returns once the peer has given back all that it was lent. poll(2) stands for the event loop.
absl::Status AwaitReturn(memory::Session& session) {
  const absl::StatusOr<ipc::FdView> fd = session.arena().wait_fd();
  if (!fd.ok()) return fd.status();
  pollfd poll_fd = {.fd = fd->get(), .events = POLLIN, .revents = 0};
  while (session.loan_stats().loans_out > 0) {
    poll(&poll_fd, 1, -1);
    session.Reclaim(100);  // Destroys up to 100 objects that nobody owns any more.
  }
  return absl::OkStatus();
}
// guide]

// [guide
// All arenas of this process together take no more than 1 GiB, and each session what is said here.
ipc::SessionOptions WithLittleMemory(ipc::SessionOptions options) {
  ipc::shm::SetProcessLimit(uint64_t{1} << 30);
  options.arena_bytes = uint64_t{64} << 20;
  options.arena_pages = ipc::ArenaPages::kCommitted;  // Taken with the allocation, so that no touch kills.
  options.arena_decay = absl::Seconds(1);
  return options;
}

std::string Describe(const ipc::shm::ArenaStats& arena) {
  return absl::StrCat(arena.allocated_bytes, " of ", arena.limit_bytes, " bytes allocated; ", arena.committed_bytes,
                      " taken of the machine, ", arena.dirty_bytes, " of them free, ", arena.fragmented_bytes(),
                      " in gaps");
}
// guide]

// [guide
// Makes both the first write and the reader's first look cheap, at a time when nobody waits.
absl::Status WarmUp(memory::Session& session, absl::Span<const std::byte> large) {
  if (absl::Status taken = session.arena().PreCommit(large); !taken.ok()) return taken;
  session.arena().Collapse(large).IgnoreError();  // Into huge pages, if the system has some to spare.
  return session.arena().PopulateForReading(large);
}
// guide]

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

SLUICE_CHILD_ROLE(price_host) {
  absl::StatusOr<memory::Server> server = ::Listen(OptionsIn(arguments[0]));
  absl::StatusOr<std::shared_ptr<Prices>> prices = server.ok() ? MakePrices(*server) : server.status();
  TellParent(prices.ok() ? "listening" : prices.status().ToString());
  std::vector<memory::Session> sessions;
  for (int i = 0; i < 2 && prices.ok(); ++i) {
    absl::StatusOr<memory::Session> session = server->Accept(TimeLimit());
    if (!session.ok() || !LendPrices(*session, *prices).ok()) return 1;
    sessions.push_back(*std::move(session));
  }
  return HearParent() == "end" ? 0 : 1;
}

// Asks what it is lent for the price of tea.
SLUICE_CHILD_ROLE(thirsty_host) {
  return HostIn(arguments[0], [](memory::Session& session) {
    const absl::StatusOr<std::shared_ptr<const Prices>> menu = BorrowPrices(session);
    TellParent(menu.ok() ? absl::StrCat((*menu)->find("tea")->second) : menu.status().ToString());
    return menu.status();
  });
}

TEST_F(GuideTest, ManyClientsReadOneObject) {
  Meet("price_host");
  ASSERT_OK_AND_ASSIGN(memory::Session other, ::Connect(OptionsIn(folder_.path())));
  ASSERT_OK_AND_ASSIGN(const auto prices, BorrowPrices(*session_));
  ASSERT_OK_AND_ASSIGN(const auto same_prices, BorrowPrices(other));
  EXPECT_EQ(prices, same_prices) << "it lies at one place";
  EXPECT_EQ(prices->find("tea")->second, 2.5);
  EXPECT_EQ(prices->find("a pot of the tea that the house is famous for")->second, 8.0);
  host_->Tell("end");
  EXPECT_EQ(host_->Wait(), 0);
}

TEST_F(GuideTest, ManySessionsShareAnArena) {
  Meet("thirsty_host");
  ASSERT_OK_AND_ASSIGN(const Menu menu, MakeMenu());
  EXPECT_OK(LendMenu(*session_, menu));
  EXPECT_EQ(host_->Hear(), "2.5");
  ASSERT_OK_AND_ASSIGN(memory::Session next, ::Connect(OptionsIn(folder_.path())));
  EXPECT_OK(LendMenu(next, menu));
  EXPECT_EQ(host_->Hear(), "2.5");
}

TEST_F(GuideTest, ALoanIsWaitedFor) {
  Meet("thirsty_host");
  ASSERT_OK_AND_ASSIGN(const Menu menu, MakeMenu());
  SetPrice(*session_, *menu.prices, "tea", 3.5);
  EXPECT_OK(LendMenu(*session_, menu));
  EXPECT_EQ(host_->Hear(), "3.5");
  EXPECT_OK(AwaitReturn(*session_));
}

TEST_F(GuideTest, OwnTypesAreKeys) {
  Meet("thirsty_host");
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Hall> hall, session_->arena().Construct<Hall>());
  hall->guests[{1, 2}] = "a guest whose name is a long one";
  hall->free.push_front({3, 4});
  EXPECT_EQ((hall->guests.at({1, 2})), "a guest whose name is a long one");
}

TEST_F(GuideTest, MemoryIsLimitedAndTakenAhead) {
  StartHost("thirsty_host");
  ASSERT_OK_AND_ASSIGN(memory::Session session, ::Connect(WithLittleMemory(OptionsIn(folder_.path()))));
  using Bytes = ipc::shm::vector<std::byte>;
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Bytes> large, session.arena().Construct<Bytes>(size_t{4} << 20));
  EXPECT_THAT(session.arena().Construct<Bytes>(size_t{65} << 20), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_OK(WarmUp(session, *large));
  EXPECT_THAT(Describe(session.arena().arena_stats()), HasSubstr(" of 67108864 bytes allocated; "));
  ipc::shm::SetProcessLimit(ipc::shm::ProcessUsage().limit_bytes);
}

}  // namespace
}  // namespace ipc::testing
