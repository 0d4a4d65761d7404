#include "ipc_shm/arena_pages_conformance.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "ipc_session/arena_pages.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_transport/channel.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/huge_pages.h"
#include "ipc_util/testing/mapping.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::ArenaOf;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr uint64_t kLimit = uint64_t{64} << 20;
constexpr size_t kHugePageBytes = size_t{2} << 20;
constexpr size_t kLargeBytes = 3 * kHugePageBytes;
using Bytes = shm::vector<uint8_t>;

std::optional<SessionKindUnderTest>& Kind() {
  static std::optional<SessionKindUnderTest> kind;
  return kind;
}

SessionOptions Options(const std::string& folder, ArenaPages pages) {
  SessionOptions options = OptionsIn(folder);
  options.channels = 1;
  options.arena_bytes = kLimit;
  options.arena_pages = pages;
  return options;
}

absl::Status LendOneOf(Session& session, Channel& channel, uint8_t value) {
  auto arena = ArenaOf(session);
  SLUICE_ASSIGN_OR_RETURN(const std::shared_ptr<Bytes> own, arena.Construct<Bytes>(kLargeBytes, value));
  SLUICE_ASSIGN_OR_RETURN(shm::Loan loan, arena.Lend(own));
  return shm::SendLoan(channel, std::move(loan), TimeLimit());
}

// Borrows a vector of `value`s: says how that looks.
std::string BorrowOneOf(Session& session, Channel& channel, uint8_t value) {
  const absl::StatusOr<shm::LoanRef> ref = shm::ReceiveLoan(channel, TimeLimit());
  if (!ref.ok()) return ref.status().ToString();
  const auto borrowed = ArenaOf(session).Borrow<Bytes>(*ref);
  if (!borrowed.ok()) return borrowed.status().ToString();
  const Bytes& bytes = **borrowed;
  const bool is_good = std::count(bytes.begin(), bytes.end(), value) == static_cast<ptrdiff_t>(kLargeBytes);
  return absl::StrCat(is_good ? "good" : "spoilt", " in pages of ", MappingAt(bytes.data()).page_bytes);
}

// Gives eights for sevens in each session. Arguments: the run folder, the pages.
SLUICE_CHILD_ROLE(pages_server) {
  int pages;
  if (!absl::SimpleAtoi(arguments[1], &pages)) return 1;
  ServerOptions options = ServerOptionsIn(arguments[0]);
  options.session = Options(arguments[0], static_cast<ArenaPages>(pages));
  const absl::Status end = Kind()->serve(
      options, [] { TellParent("listening"); },
      [](Session& session) {
        Channel channel = session.TakeChannel(0);
        TellParent(BorrowOneOf(session, channel, 7));
        return LendOneOf(session, channel, 8);
      });
  TellParent(end.ToString());
  return 0;
}

// A server with `pages` of its own process.
class PagesServer {
 public:
  explicit PagesServer(ArenaPages pages)
      : child_(Child::Start("pages_server", {folder_.path(), absl::StrCat(static_cast<int>(pages))})) {
    EXPECT_EQ(child_.Hear(), "listening");
  }

  absl::StatusOr<Session> Connect(ArenaPages pages) { return Kind()->connect(Options(folder_.path(), pages)); }

  // What both sides of an exchange saw.
  std::vector<std::string> ExchangeIn(Session& session) {
    Channel channel = session.TakeChannel(0);
    EXPECT_OK(LendOneOf(session, channel, 7));
    return {child_.Hear(), BorrowOneOf(session, channel, 8)};
  }

 private:
  const TempDir folder_;
  Child child_;
};

// R1
TEST_P(ArenaPagesConformance, CommittedBlocksHaveTheirMemoryOrAreRefused) {
  PagesServer server(ArenaPages::kOnTouch);
  ASSERT_OK_AND_ASSIGN(Session session, server.Connect(ArenaPages::kCommitted));
  auto arena = ArenaOf(session);
  {
    const OsTesting os({FailCall("Fallocate", ENOSPC, {.first = 1, .times = 100})});
    EXPECT_THAT(arena.Construct<Bytes>(kLargeBytes, uint8_t{1}),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("more memory")));
    EXPECT_THAT(arena.Construct<uint64_t>(uint64_t{1}),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("more memory")));
    EXPECT_EQ(arena.arena_stats().live_allocations, 0u);
  }
  EXPECT_THAT(server.ExchangeIn(session), Each("good in pages of 4096"));
}

TEST_P(ArenaPagesConformance, HugePagesWhereBothSidesAllowThem) {
  const HugePages pool(32);
  if (!pool.ok()) GTEST_SKIP() << "SKIPPED: only root may reserve huge pages";
  PagesServer server(ArenaPages::kHuge);
  ASSERT_OK_AND_ASSIGN(Session session, server.Connect(ArenaPages::kHuge));
  EXPECT_THAT(server.ExchangeIn(session), Each("good in pages of 2097152"));
}

// V2
TEST_P(ArenaPagesConformance, ASessionWithHugePagesOfOneSideIsRefused) {
  const HugePages pool(8);
  if (!pool.ok()) GTEST_SKIP() << "SKIPPED: only root may reserve huge pages";
  PagesServer server(ArenaPages::kHuge);
  const absl::Status refused = server.Connect(ArenaPages::kOnTouch).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("ArenaPages::kHuge")));
  EXPECT_EQ(ReasonOf(refused), Reason::kWrongLimits);
}

// R1
TEST_P(ArenaPagesConformance, TheEndOfHugePagesIsAnErrorAndNoMore) {
  const HugePages pool(24);
  if (!pool.ok()) GTEST_SKIP() << "SKIPPED: only root may reserve huge pages";
  PagesServer server(ArenaPages::kHuge);
  {
    ASSERT_OK_AND_ASSIGN(Session session, server.Connect(ArenaPages::kHuge));
    EXPECT_THAT(ArenaOf(session).Construct<Bytes>(30 * kHugePageBytes, uint8_t{1}),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("vm.nr_hugepages")));
    EXPECT_THAT(server.ExchangeIn(session), Each("good in pages of 2097152"));
  }
  const HugePages none(0);
  EXPECT_THAT(server.Connect(ArenaPages::kHuge), StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace

int SetArenaPagesKind(const SessionKindUnderTest& kind) {
  Kind() = kind;
  return 0;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
