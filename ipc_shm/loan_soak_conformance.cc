#include "ipc_shm/loan_soak_conformance.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_shm/testing/model_object.h"
#include "ipc_transport/channel.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/growth.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::ArenaOf;
using ::ipc::internal::SessionArena;

constexpr uint64_t kArenaBytes = uint64_t{64} << 20;
constexpr int kObjectsOfRound = 20;
// Small, so that a run touches all of it early.
constexpr size_t kRingBytes = 4096;

std::optional<SessionKindUnderTest>& Kind() {
  static std::optional<SessionKindUnderTest> kind;
  return kind;
}

int NumberOf(const std::string& text) {
  int number = 0;
  if (!absl::SimpleAtoi(text, &number)) std::abort();
  return number;
}

// What the environment says, or `few`.
int CountOf(const char* variable, int few) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? few : NumberOf(text);
}

// One side of all sessions of a run. In each round either side lends some objects of its own and reads the other's.
class SoakSide {
 public:
  SoakSide(bool is_first, int sessions, int rounds) : is_first_(is_first), sessions_(sessions), rounds_(rounds) {}

  absl::Status Serve(Session& session) {
    if (sessions_ > 1) TakeSample(sessions_);
    SessionArena arena = ArenaOf(session);
    Channel channel = session.TakeChannel(0);
    for (int i = 0; i < rounds_; ++i) {
      if (sessions_ == 1) TakeSample(rounds_);
      SLUICE_RETURN_IF_ERROR(is_first_ ? LendSome(arena, channel) : BorrowSome(arena, channel));
      SLUICE_RETURN_IF_ERROR(is_first_ ? BorrowSome(arena, channel) : LendSome(arena, channel));
      // The peer lets go of its last ones, and says so.
      if (is_first_) {
        SLUICE_RETURN_IF_ERROR(channel.Send(shm::LoanRef().ToBytes(), {}, TimeLimit()));
      } else {
        SLUICE_RETURN_IF_ERROR(shm::ReceiveLoan(channel, TimeLimit()).status());
      }
      arena.Reclaim(kObjectsOfRound);
      if (arena.loan_stats() != shm::LoanStats() || arena.arena_stats().live_allocations != 0) {
        return absl::InternalError(absl::StrCat("something is left after round ", i));
      }
    }
    return absl::OkStatus();
  }

  // After all sessions. "": nothing grew.
  std::string Grown() const { return Growth(*early_, *late_, seen_); }

 private:
  // At the beginning of each of `all` cycles. Sockets have other numbers in each session.
  void TakeSample(int all) {
    std::optional<Sample>& sample = seen_ == all / 4 ? early_ : late_;
    if (seen_ == all / 4 || seen_ == all - 1) {
      sample = Sample::Now();
      std::set<std::string> descriptors;
      for (const std::string& each : sample->world.descriptors) descriptors.insert(each.substr(0, each.find('[')));
      sample->world.descriptors = std::move(descriptors);
    }
    ++seen_;
  }

  absl::Status LendSome(SessionArena& arena, Channel& channel) {
    for (int i = 0; i < kObjectsOfRound; ++i) {
      const size_t bytes = i == 0 ? 1'500'000 : 100 * i;
      SLUICE_ASSIGN_OR_RETURN(const auto object, arena.Construct<ModelObject>(i, bytes));
      SLUICE_ASSIGN_OR_RETURN(shm::Loan loan, arena.Lend(object));
      SLUICE_RETURN_IF_ERROR(shm::SendLoan(channel, std::move(loan), TimeLimit()));
    }
    return absl::OkStatus();
  }

  static absl::Status BorrowSome(SessionArena& arena, Channel& channel) {
    std::vector<std::shared_ptr<const ModelObject>> borrowed;
    for (int i = 0; i < kObjectsOfRound; ++i) {
      SLUICE_ASSIGN_OR_RETURN(const shm::LoanRef ref, shm::ReceiveLoan(channel, TimeLimit()));
      SLUICE_ASSIGN_OR_RETURN(borrowed.emplace_back(), arena.Borrow<ModelObject>(ref));
      if (!borrowed.back()->IsGood()) return absl::DataLossError("an object is spoilt");
    }
    return absl::OkStatus();
  }

  const bool is_first_;
  const int sessions_;
  const int rounds_;
  int seen_ = 0;
  std::optional<Sample> early_;
  std::optional<Sample> late_;
};

// Arguments: the run folder, sessions, rounds of each.
SLUICE_CHILD_ROLE(loan_soak_client) {
  const int sessions = NumberOf(arguments[1]);
  SoakSide side(/*is_first=*/false, sessions, NumberOf(arguments[2]));
  for (int i = 0; i < sessions; ++i) {
    SessionOptions options = OptionsIn(arguments[0]);
    options.arena_bytes = kArenaBytes;
    options.ring_bytes = kRingBytes;
    absl::StatusOr<Session> session = Kind()->connect(options);
    const absl::Status status = session.ok() ? side.Serve(*session) : session.status();
    if (!status.ok()) {
      std::fprintf(stderr, "session %d: %s\n", i, status.ToString().c_str());  // The server may wait for the next one.
      return 1;
    }
  }
  TellParent(absl::StrCat("grown: ", side.Grown()));
  return 0;
}

void Soak(const SessionKindUnderTest& kind, int sessions, int rounds) {
  const TempDir folder;
  ServerOptions options = ServerOptionsIn(folder.path());
  options.session.arena_bytes = kArenaBytes;
  options.session.ring_bytes = kRingBytes;
  std::optional<Child> client;
  SoakSide side(/*is_first=*/true, sessions, rounds);
  int served = 0;
  const auto start = [&] {
    client.emplace(Child::Start("loan_soak_client", {folder.path(), absl::StrCat(sessions), absl::StrCat(rounds)}));
  };
  const absl::Status ended = kind.serve(options, start, [&](Session& session) {
    SLUICE_RETURN_IF_ERROR(side.Serve(session));
    return ++served == sessions ? absl::CancelledError() : absl::OkStatus();
  });
  EXPECT_THAT(ended, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(client->Hear(), "grown: ");
  EXPECT_EQ(client->Wait(), 0);
  ASSERT_EQ(served, sessions);
  EXPECT_EQ(side.Grown(), "");
}

}  // namespace

int SetLoanSoakKind(const SessionKindUnderTest& kind) {
  Kind() = kind;
  return 0;
}

TEST_P(LoanSoakConformance, ObjectsLeaveNothingBehind) {
  Soak(GetParam(), 1, CountOf("LOAN_SOAK_OBJECTS", 2000) / kObjectsOfRound);
}

TEST_P(LoanSoakConformance, SessionsWithLoansLeaveNothingBehind) {
  Soak(GetParam(), CountOf("LOAN_SOAK_SESSIONS", 60), 1);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
