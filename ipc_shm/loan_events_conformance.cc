#include "ipc_shm/loan_events_conformance.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_transport/channel.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::ArenaOf;
using ::ipc::internal::SessionArena;

std::optional<SessionKindUnderTest>& Kind() {
  static std::optional<SessionKindUnderTest> kind;
  return kind;
}

SessionOptions Options(const std::string& folder) {
  SessionOptions options = OptionsIn(folder);
  options.channels = 1;
  return options;
}

// Counts those that live.
struct Counted {
  Counted() { ++living; }
  ~Counted() { --living; }

  int number = 0;
  static inline std::atomic<int> living{0};
};

// Does what its parent says, with one loan at a time. Argument: the run folder.
SLUICE_CHILD_ROLE(loan_holder) {
  absl::StatusOr<Session> session = Kind()->connect(Options(arguments[0]));
  if (!session.ok()) return 1;
  Channel channel = session->TakeChannel(0);
  std::vector<std::shared_ptr<const Counted>> held;
  for (std::string what = HearParent(); !what.empty(); what = HearParent()) {
    if (what == "borrow") {
      const absl::StatusOr<shm::LoanRef> ref = shm::ReceiveLoan(channel, TimeLimit());
      if (!ref.ok()) return 2;
      absl::StatusOr<std::shared_ptr<const Counted>> borrowed = ArenaOf(*session).Borrow<Counted>(*ref);
      if (!borrowed.ok()) return 3;
      held.push_back(*std::move(borrowed));
    } else if (what == "release") {
      held.pop_back();
    }
    TellParent("done");
  }
  return 0;
}

// The owner of objects, and the process that borrows them.
class Lending {
 public:
  Lending(Session& session, Child& borrower)
      : session_(session), borrower_(borrower), channel_(session.TakeChannel(0)), arena_(ArenaOf(session)) {}

  SessionArena& arena() { return arena_; }
  Child& borrower() { return borrower_; }

  // An object whose only holder is the borrower.
  void LendOne() {
    absl::StatusOr<std::shared_ptr<Counted>> object = arena_.Construct<Counted>();
    ASSERT_OK(object);
    absl::StatusOr<shm::Loan> loan = arena_.Lend(*object);
    ASSERT_OK(loan);
    ASSERT_OK(shm::SendLoan(channel_, *std::move(loan), TimeLimit()));
    Tell("borrow");
  }
  void Tell(const std::string& what) {
    borrower_.Tell(what);
    ASSERT_EQ(borrower_.Hear(), "done");
  }
  // As MemorySession.
  size_t Reclaim(size_t max) {
    session_.status().IgnoreError();
    return arena_.Reclaim(max);
  }
  // Until nothing comes any more.
  bool IsQuiet(FdView fd) {
    Reclaim(0);
    return !IsReadable(fd);
  }

 private:
  Session& session_;
  Child& borrower_;
  Channel channel_;
  SessionArena arena_;
};

void Lend(const SessionKindUnderTest& kind, absl::FunctionRef<void(Lending&)> act) {
  const TempDir folder;
  ServerOptions options = ServerOptionsIn(folder.path());
  options.session = Options(folder.path());
  std::optional<Child> borrower;
  const absl::Status end = kind.serve(
      options, [&] { borrower.emplace(Child::Start("loan_holder", {folder.path()})); },
      [&](Session& session) {
        Lending lending(session, *borrower);
        act(lending);
        return absl::CancelledError("served");
      });
  EXPECT_EQ(end, absl::CancelledError("served"));
}

}  // namespace

int SetLoanEventsKind(const SessionKindUnderTest& kind) {
  Kind() = kind;
  return 0;
}

TEST_P(LoanEventsConformance, TellOfEachThatComesBack) {
  Lend(GetParam(), [](Lending& lending) {
    ASSERT_OK_AND_ASSIGN(const FdView fd, lending.arena().wait_fd());
    EXPECT_TRUE(lending.IsQuiet(fd));
    for (int i = 0; i < 100; ++i) {
      lending.LendOne();
      ASSERT_TRUE(lending.IsQuiet(fd));
      ASSERT_EQ(Counted::living, 1);
      lending.Tell("release");
      ASSERT_TRUE(BecomesReadable(fd)) << i;
      ASSERT_EQ(lending.Reclaim(10), 1u);
      ASSERT_EQ(Counted::living, 0);
      ASSERT_FALSE(IsReadable(fd));
    }
  });
}

TEST_P(LoanEventsConformance, TellOfWhatWasBackBefore) {
  Lend(GetParam(), [](Lending& lending) {
    lending.LendOne();
    lending.Tell("release");
    ASSERT_OK_AND_ASSIGN(const FdView fd, lending.arena().wait_fd());
    EXPECT_TRUE(IsReadable(fd));
    EXPECT_EQ(lending.Reclaim(10), 1u);
    EXPECT_FALSE(IsReadable(fd));
  });
}

TEST_P(LoanEventsConformance, TellUntilNothingIsLeft) {
  Lend(GetParam(), [](Lending& lending) {
    ASSERT_OK_AND_ASSIGN(const FdView fd, lending.arena().wait_fd());
    for (int i = 0; i < 3; ++i) lending.LendOne();
    EXPECT_TRUE(lending.IsQuiet(fd));
    for (int i = 0; i < 3; ++i) lending.Tell("release");
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(BecomesReadable(fd)) << i;
      EXPECT_EQ(lending.Reclaim(1), 1u);
    }
    EXPECT_TRUE(lending.IsQuiet(fd));
  });
}

// What is found in passing waits for Reclaim.
TEST_P(LoanEventsConformance, TellOfWhatAnAllocationFound) {
  Lend(GetParam(), [](Lending& lending) {
    ASSERT_OK_AND_ASSIGN(const FdView fd, lending.arena().wait_fd());
    lending.LendOne();
    EXPECT_TRUE(lending.IsQuiet(fd));
    lending.Tell("release");
    EXPECT_OK(lending.arena().Construct<int>(1));
    EXPECT_EQ(lending.arena().loan_stats().destroyable, 1u);
    EXPECT_TRUE(BecomesReadable(fd));
    EXPECT_EQ(lending.Reclaim(10), 1u);
    EXPECT_FALSE(IsReadable(fd));
  });
}

// K6
TEST_P(LoanEventsConformance, TellOfABorrowerThatWasKilled) {
  Lend(GetParam(), [](Lending& lending) {
    ASSERT_OK_AND_ASSIGN(const FdView fd, lending.arena().wait_fd());
    for (int i = 0; i < 3; ++i) lending.LendOne();
    EXPECT_TRUE(lending.IsQuiet(fd));
    lending.borrower().Kill();
    EXPECT_TRUE(BecomesReadable(fd));
    EXPECT_EQ(lending.Reclaim(10), 3u);
    EXPECT_EQ(Counted::living, 0);
  });
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
