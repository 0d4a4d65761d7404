#include "ipc_shm/loan_conformance.h"

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_transport/channel.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::ArenaOf;
using ::ipc::internal::SessionArena;
using ::testing::HasSubstr;

constexpr size_t kArenaBytes = size_t{16} << 20;

std::optional<SessionKindUnderTest>& Kind() {
  static std::optional<SessionKindUnderTest> kind;
  return kind;
}

// An object that tells what becomes of it: scribbled over when it is destroyed.
struct Item {
  explicit Item(uint64_t value) : number(value) {
    numbers.fill(value);
    ++living;
  }
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;
  ~Item() {
    number = 0;
    numbers.fill(UINT64_MAX);
    --living;
  }

  bool IsGood(uint64_t value) const {
    if (number != value) return false;
    for (const uint64_t each : numbers) {
      if (each != value) return false;
    }
    return true;
  }

  uint64_t number;
  std::array<uint64_t, 20> numbers;
  static inline int living = 0;  // In this process.
};

// What an object of containers may look like.
struct Index {
  shm::map<shm::string, shm::vector<shm::string>> names;
  shm::unordered_map<uint64_t, uint64_t> squares;

  void Fill() {
    for (uint64_t i = 0; i < 100; ++i) {
      const std::string key = absl::StrCat("a key that does not fit into the string itself: ", i);
      shm::vector<shm::string>& values = names.try_emplace(shm::string(key.begin(), key.end())).first->second;
      for (uint64_t j = 0; j < i % 7; ++j) values.emplace_back(1000 * j, 'x');
      squares[i] = i * i;
    }
  }
  bool IsGood() const {
    if (names.size() != 100 || squares.size() != 100) return false;
    for (uint64_t i = 0; i < 100; ++i) {
      const auto found = names.find(absl::StrCat("a key that does not fit into the string itself: ", i));
      if (found == names.end() || found->second.size() != i % 7 || squares.at(i) != i * i) return false;
      for (uint64_t j = 0; j < i % 7; ++j) {
        if (found->second[j].size() != 1000 * j || found->second[j].find_first_not_of('x') != shm::string::npos) {
          return false;
        }
      }
    }
    return true;
  }
};

struct OtherType {
  uint64_t number = 0;
};

SessionOptions Options(const std::string& folder) {
  SessionOptions options = OptionsIn(folder);
  options.channels = 1;
  options.arena_bytes = kArenaBytes;
  return options;
}

using Owned = std::vector<std::shared_ptr<Item>>;
using Borrowed = std::vector<std::shared_ptr<const Item>>;

absl::Status LendItems(SessionArena& arena, Channel& channel, uint64_t count, Owned& owned) {
  for (uint64_t i = 0; i < count; ++i) {
    SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<Item> item, arena.Construct<Item>(i));
    SLUICE_ASSIGN_OR_RETURN(shm::Loan loan, arena.Lend(item));
    SLUICE_RETURN_IF_ERROR(shm::SendLoan(channel, std::move(loan), TimeLimit()));
    owned.push_back(std::move(item));
  }
  return absl::OkStatus();
}

// A full index, which the loan alone owns.
absl::Status LendIndex(SessionArena& arena, Channel& channel) {
  const shm::ArenaScope scope(arena);
  SLUICE_ASSIGN_OR_RETURN(const std::shared_ptr<Index> index, arena.Construct<Index>());
  index->Fill();
  SLUICE_ASSIGN_OR_RETURN(shm::Loan loan, arena.Lend(index));
  return shm::SendLoan(channel, std::move(loan), TimeLimit());
}

absl::Status BorrowItems(SessionArena& arena, Channel& channel, uint64_t count, Borrowed& borrowed) {
  for (uint64_t i = 0; i < count; ++i) {
    SLUICE_ASSIGN_OR_RETURN(const shm::LoanRef ref, shm::ReceiveLoan(channel, TimeLimit()));
    SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<const Item> item, arena.Borrow<Item>(ref));
    borrowed.push_back(std::move(item));
  }
  return absl::OkStatus();
}

absl::Status CheckItems(const Borrowed& borrowed) {
  for (size_t i = 0; i < borrowed.size(); ++i) {
    if (!borrowed[i]->IsGood(i)) return absl::DataLossError(absl::StrCat("item ", i, " is spoilt"));
  }
  return absl::OkStatus();
}

// What the other process does with a session, told by its parent line by line. What it borrowed outlives the session.
class Peer {
 public:
  absl::Status Serve(Session& session) {
    SessionArena arena = ArenaOf(session);
    Channel channel = session.TakeChannel(0);
    for (std::string line = HearParent(); !line.empty() && line != "end"; line = HearParent()) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ');
      uint64_t count = 0;
      if (words.size() > 1 && !absl::SimpleAtoi(words[1], &count)) return absl::InvalidArgumentError(line);
      const absl::Status status = Do(arena, channel, words[0], count);
      TellParent(status.ok() ? "done" : status.ToString());
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Do(SessionArena& arena, Channel& channel, const std::string& what, uint64_t count) {
    if (what == "lend") return LendItems(arena, channel, count, owned_);
    if (what == "borrow") return BorrowItems(arena, channel, count, borrowed_);
    if (what == "close") {
      channel = Channel();
      return absl::OkStatus();
    }
    if (what == "check") return CheckItems(borrowed_);
    if (what == "release") {
      borrowed_.clear();
      return absl::OkStatus();
    }
    if (what == "disown") {
      owned_.clear();
      return absl::OkStatus();
    }
    if (what == "reclaim") {
      const size_t reclaimed = arena.Reclaim(1'000'000);
      if (reclaimed == count && Item::living == 0) return absl::OkStatus();
      return absl::InternalError(absl::StrCat("reclaimed ", reclaimed, ", ", Item::living, " live"));
    }
    if (what == "borrow_index") {
      SLUICE_ASSIGN_OR_RETURN(const shm::LoanRef ref, shm::ReceiveLoan(channel, TimeLimit()));
      SLUICE_ASSIGN_OR_RETURN(index_, arena.Borrow<Index>(ref));
      return absl::OkStatus();
    }
    if (what == "check_index") return index_->IsGood() ? absl::OkStatus() : absl::DataLossError("the index is spoilt");
    if (what == "release_index") {
      index_ = nullptr;
      return absl::OkStatus();
    }
    if (what == "borrow_other") {
      SLUICE_ASSIGN_OR_RETURN(const shm::LoanRef ref, shm::ReceiveLoan(channel, TimeLimit()));
      return arena.Borrow<OtherType>(ref).status();
    }
    return absl::InvalidArgumentError(what);
  }

  Owned owned_;
  Borrowed borrowed_;
  std::shared_ptr<const Index> index_;
};

SLUICE_CHILD_ROLE(loan_peer) {
  ServerOptions options = ServerOptionsIn(arguments[0]);
  options.session.arena_bytes = kArenaBytes;
  Peer peer;
  const absl::Status ended =
      Kind()->serve(options, [] { TellParent("listening"); }, [&](Session& session) { return peer.Serve(session); });
  TellParent(ended.ToString());
  return 1;
}

// The other process, and this one's side of a session with it.
class LoanPair {
 public:
  explicit LoanPair(const SessionKindUnderTest& kind, const std::vector<OsInstruction>& instructions = {})
      : kind_(kind),
        peer_(Child::Start("loan_peer", {folder_.path()},
                           {.environment = {OsEnvironment(instructions)}, .inherited = {}})) {
    EXPECT_EQ(peer_.Hear(), "listening");
    Connect();
  }

  // A session more. The peer is done with the one before.
  void Connect() {
    absl::StatusOr<Session> session = kind_.connect(Options(folder_.path()));
    ASSERT_OK(session);
    session_.emplace(*std::move(session));
    channel_ = session_->TakeChannel(0);
    arena_.emplace(ArenaOf(*session_));
  }

  std::string Ask(const std::string& line) {
    peer_.Tell(line);
    return peer_.Hear();
  }

  absl::Status Lend(uint64_t count) { return LendItems(*arena_, channel_, count, owned_); }
  absl::Status Borrow(uint64_t count) { return BorrowItems(*arena_, channel_, count, borrowed_); }
  size_t Reclaim() { return arena_->Reclaim(1'000'000); }

  // Ends this side's session; objects stay.
  void Close() {
    arena_.reset();
    channel_ = Channel();
    session_.reset();
  }

  Child& peer() { return peer_; }
  Session& session() { return *session_; }
  SessionArena& arena() { return *arena_; }
  Channel& channel() { return channel_; }
  Owned& owned() { return owned_; }
  Borrowed& borrowed() { return borrowed_; }

 private:
  const SessionKindUnderTest kind_;
  TempDir folder_;
  Child peer_;
  std::optional<Session> session_;
  Channel channel_;
  std::optional<SessionArena> arena_;
  Owned owned_;
  Borrowed borrowed_;
};

}  // namespace

int SetLoanKind(const SessionKindUnderTest& kind) {
  Kind() = kind;
  return 0;
}

TEST_P(LoanConformance, ThePeerReadsWhatItBorrows) {
  LoanPair pair(GetParam());
  ASSERT_OK(pair.Lend(100));
  EXPECT_EQ(pair.Ask("borrow 100"), "done");
  EXPECT_EQ(pair.arena().loan_stats().loans_out, 100u);
  pair.owned().clear();
  EXPECT_EQ(pair.Reclaim(), 0u);
  EXPECT_EQ(pair.Ask("check"), "done");
  EXPECT_EQ(pair.Ask("release"), "done");
  EXPECT_EQ(pair.Reclaim(), 100u);
  EXPECT_EQ(Item::living, 0);
  EXPECT_EQ(pair.arena().loan_stats(), shm::LoanStats());
  EXPECT_EQ(pair.arena().arena_stats().live_allocations, 0u);
}

TEST_P(LoanConformance, ThisSideReadsWhatItBorrows) {
  LoanPair pair(GetParam());
  pair.peer().Tell("lend 100");
  ASSERT_OK(pair.Borrow(100));
  EXPECT_EQ(pair.peer().Hear(), "done");
  EXPECT_EQ(pair.Ask("disown"), "done");
  EXPECT_OK(CheckItems(pair.borrowed()));
  pair.borrowed().clear();
  EXPECT_EQ(pair.Ask("reclaim 100"), "done");
}

TEST_P(LoanConformance, ContainersInsideAnObjectAreReadInPlace) {
  LoanPair pair(GetParam());
  ASSERT_OK(LendIndex(pair.arena(), pair.channel()));
  EXPECT_EQ(pair.Ask("borrow_index"), "done");
  EXPECT_EQ(pair.Ask("check_index"), "done");
  EXPECT_EQ(pair.Reclaim(), 0u);
  EXPECT_GT(pair.arena().arena_stats().live_allocations, 500u);
  EXPECT_EQ(pair.Ask("release_index"), "done");
  EXPECT_EQ(pair.Reclaim(), 1u);
  EXPECT_EQ(pair.arena().arena_stats().live_allocations, 0u) << "all that it allocated";
}

// An owner that ends while the peer reads must not pull the containers' memory away.
TEST_P(LoanConformance, ContainersOutliveTheOwnersSession) {
  LoanPair pair(GetParam());
  ASSERT_OK(LendIndex(pair.arena(), pair.channel()));
  EXPECT_EQ(pair.Ask("borrow_index"), "done");
  pair.Close();
  EXPECT_EQ(pair.Ask("check_index"), "done");
  EXPECT_EQ(pair.Ask("release_index"), "done");
}

// R6: nothing grows.
TEST_P(LoanConformance, RoundAfterRoundEverythingComesBack) {
  LoanPair pair(GetParam());
  for (int round = 0; round < 50; ++round) {
    ASSERT_OK(pair.Lend(50));
    ASSERT_EQ(pair.Ask("borrow 50"), "done");
    pair.owned().clear();
    ASSERT_EQ(pair.Ask("check"), "done");
    ASSERT_EQ(pair.Ask("release"), "done");
    ASSERT_EQ(pair.Reclaim(), 50u);
    ASSERT_EQ(pair.arena().arena_stats().live_allocations, 0u);
  }
}

// K6: a stopped borrower keeps what it has, a killed one has nothing.
TEST_P(LoanConformance, AKilledBorrowerGivesEverythingBack) {
  LoanPair pair(GetParam());
  ASSERT_OK(pair.Lend(1000));
  ASSERT_EQ(pair.Ask("borrow 1000"), "done");
  pair.owned().clear();
  pair.peer().Stop();
  EXPECT_EQ(pair.Reclaim(), 0u);
  EXPECT_EQ(Item::living, 1000);
  pair.peer().Continue();
  EXPECT_EQ(pair.Ask("check"), "done");
  EXPECT_EQ(pair.Reclaim(), 0u);
  pair.peer().Kill();
  EXPECT_EQ(pair.Reclaim(), 1000u);
  EXPECT_EQ(Item::living, 0);
  EXPECT_EQ(pair.arena().loan_stats(), shm::LoanStats());
  EXPECT_EQ(pair.arena().arena_stats().live_allocations, 0u);
}

// K6: also those that it has not read yet, while this side still owns them all.
TEST_P(LoanConformance, AKilledBorrowerTakesNoOwnedObjectWithIt) {
  LoanPair pair(GetParam());
  ASSERT_OK(pair.Lend(50));
  ASSERT_EQ(pair.Ask("borrow 20"), "done");
  pair.peer().Kill();
  EXPECT_EQ(pair.Reclaim(), 0u) << "they are owned";
  EXPECT_EQ(pair.arena().loan_stats().loans_out, 0u);
  for (uint64_t i = 0; i < 50; ++i) EXPECT_TRUE(pair.owned()[i]->IsGood(i));
  pair.owned().clear();
  EXPECT_EQ(Item::living, 0);
}

// A stopped process that wakes up after the session has ended, and its owner has made and destroyed much else.
TEST_P(LoanConformance, AStoppedBorrowerWakesUpToIntactData) {
  LoanPair pair(GetParam());
  ASSERT_OK(pair.Lend(100));
  ASSERT_EQ(pair.Ask("borrow 100"), "done");
  pair.owned().clear();
  pair.peer().Stop();
  for (int i = 0; i < 100; ++i) {
    EXPECT_OK(pair.arena().Construct<Item>(12345));
    EXPECT_EQ(pair.Reclaim(), 0u);
  }
  pair.Close();
  EXPECT_EQ(Item::living, 100);
  pair.peer().Continue();
  EXPECT_EQ(pair.Ask("check"), "done");
  EXPECT_EQ(pair.Ask("release"), "done");
  pair.peer().Tell("end");
  pair.Connect();
  EXPECT_EQ(Item::living, 0) << "whoever opens a session next looks at those that have ended";
}

// Principle 7: the end of the session is not the end of a loan.
TEST_P(LoanConformance, AGoodbyeBringsNothingBack) {
  LoanPair pair(GetParam());
  ASSERT_OK(pair.Lend(10));
  ASSERT_EQ(pair.Ask("borrow 10"), "done");
  pair.owned().clear();
  SessionArena arena = std::move(pair.arena());
  pair.peer().Tell("end");
  EXPECT_THAT(pair.session().WaitForEnd(TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
  pair.Connect();
  EXPECT_EQ(arena.Reclaim(100), 0u);
  EXPECT_EQ(pair.Ask("check"), "done");
  EXPECT_EQ(pair.Ask("release"), "done");
  EXPECT_EQ(arena.Reclaim(100), 10u);
}

TEST_P(LoanConformance, WhatIsBorrowedOutlivesItsOwner) {
  LoanPair pair(GetParam());
  pair.peer().Tell("lend 30");
  ASSERT_OK(pair.Borrow(30));
  EXPECT_EQ(pair.peer().Hear(), "done");
  pair.peer().Kill();
  EXPECT_THAT(pair.session().WaitForEnd(TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_OK(CheckItems(pair.borrowed()));
  pair.Close();
  EXPECT_OK(CheckItems(pair.borrowed()));
  pair.borrowed().clear();
}

// What nobody received comes back once the peer has let go of the session.
TEST_P(LoanConformance, LoansOnTheirWayComeBackWithTheEndOfTheSession) {
  LoanPair pair(GetParam());
  ASSERT_OK(pair.Lend(20));
  pair.owned().clear();
  EXPECT_EQ(pair.Reclaim(), 0u);
  SessionArena arena = std::move(pair.arena());
  EXPECT_EQ(pair.Ask("check"), "done");  // It has the session.
  pair.peer().Tell("end");
  pair.Connect();  // It is done with it.
  EXPECT_EQ(arena.Reclaim(100), 20u);
}

TEST_P(LoanConformance, AnotherTypeIsRefusedByName) {
  LoanPair pair(GetParam());
  ASSERT_OK(pair.Lend(1));
  const std::string refused = pair.Ask("borrow_other");
  EXPECT_THAT(refused, HasSubstr("FAILED_PRECONDITION"));
  EXPECT_THAT(refused, HasSubstr("Item'"));
  EXPECT_THAT(refused, HasSubstr("OtherType'"));
  pair.owned().clear();
  EXPECT_EQ(Item::living, 0) << "the loan was given back";
}

// H3: of a peer that sends anything.
TEST_P(LoanConformance, ForgedLoansHurtNobody) {
  LoanPair pair(GetParam());
  ASSERT_OK(pair.Lend(1));
  ASSERT_EQ(pair.Ask("borrow 1"), "done");
  std::mt19937_64 random(1);
  for (int i = 0; i < 200; ++i) {
    shm::LoanRef ref = {.offset = random() % (i % 2 == 0 ? UINT64_MAX : kArenaBytes),
                        .slot = static_cast<uint32_t>(random()) | 1024,
                        .generation = static_cast<uint32_t>(random()),
                        .object_generation = static_cast<uint32_t>(random())};
    if (i % 3 == 0) ref.slot = 1024 + ref.slot % 1024;
    ASSERT_OK(pair.channel().Send(ref.ToBytes(), {}, TimeLimit()));
    const std::string answer = pair.Ask("borrow 1");
    EXPECT_TRUE(answer.starts_with("DATA_LOSS") || answer.starts_with("INVALID_ARGUMENT")) << answer;
  }
  EXPECT_EQ(pair.Ask("check"), "done");
}

// K5: a lender that dies at any step hurts nobody; what it made ends with its session.
TEST_P(LoanConformance, ALenderKilledAtAnyStep) {
  for (const char* const point : {"object.allocated", "object.constructed", "loan.lent", "loan.sent"}) {
    for (const int first : {1, 5}) {
      LoanPair pair(GetParam(), {KillAt(point, {.first = first})});
      pair.peer().Tell("lend 10");
      EXPECT_FALSE(pair.Borrow(10).ok());
      EXPECT_EQ(pair.peer().Wait(), -SIGKILL) << point;
      EXPECT_OK(CheckItems(pair.borrowed())) << point;
      EXPECT_LE(pair.borrowed().size(), 5u);
    }
  }
}

// K6
TEST_P(LoanConformance, ABorrowerKilledAtAnyStep) {
  for (const char* const point : {"loan.borrowed", "loan.released"}) {
    for (const int first : {1, 5}) {
      LoanPair pair(GetParam(), {KillAt(point, {.first = first})});
      ASSERT_OK(pair.Lend(10));
      pair.owned().clear();
      pair.Ask("borrow 10");
      pair.Ask("release");
      EXPECT_EQ(pair.peer().Wait(), -SIGKILL) << point;
      EXPECT_EQ(pair.Reclaim(), 10u) << point;
      EXPECT_EQ(Item::living, 0);
    }
  }
}

// Principle 8: wherever the peer stands still, this side goes on at once, and the peer does too when it wakes up.
TEST_P(LoanConformance, APeerStoppedAtAnyStepDelaysNobody) {
  for (const std::string point :
       {"object.allocated", "object.constructed", "loan.lent", "loan.sent", "object.destroying", "object.destroyed"}) {
    LoanPair pair(GetParam(), {StopAt(point, {.first = 3})});
    ASSERT_OK(pair.Lend(10));
    ASSERT_EQ(pair.Ask("borrow 10"), "done");
    pair.owned().clear();
    pair.peer().Tell("lend 4");
    if (point.starts_with("object.destroy")) {
      ASSERT_OK(pair.Borrow(4));
      pair.borrowed().clear();
    }
    pair.peer().Tell("disown");
    pair.peer().WaitUntilStopped();
    EXPECT_EQ(pair.Reclaim(), 0u) << point;
    ASSERT_OK(pair.Lend(10)) << point;
    pair.owned().clear();
    EXPECT_EQ(Item::living, 20) << point;
    pair.peer().Continue();
    for (int i = 0; i < 2; ++i) EXPECT_EQ(pair.peer().Hear(), "done") << point;
    EXPECT_EQ(pair.Ask("check"), "done") << point;
    EXPECT_EQ(pair.Ask("release"), "done") << point;
    EXPECT_EQ(pair.Reclaim(), 10u) << point;
    EXPECT_EQ(pair.Ask("borrow 10"), "done") << point;
    EXPECT_EQ(pair.Ask("check"), "done") << point;
    EXPECT_EQ(pair.Ask("release"), "done") << point;
    EXPECT_EQ(pair.Reclaim(), 10u) << point;
  }
  // The borrower's steps.
  for (const char* const point : {"loan.borrowed", "loan.released"}) {
    LoanPair pair(GetParam(), {StopAt(point, {.first = 3})});
    ASSERT_OK(pair.Lend(10));
    pair.owned().clear();
    pair.peer().Tell("borrow 10");
    pair.peer().Tell("check");
    pair.peer().Tell("release");
    pair.peer().WaitUntilStopped();
    const size_t reclaimed = pair.Reclaim();
    EXPECT_LE(reclaimed, 3u) << point;
    EXPECT_OK(pair.arena().Construct<Item>(7)) << point;
    pair.peer().Continue();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(pair.peer().Hear(), "done") << point;
    EXPECT_EQ(pair.Reclaim(), 10 - reclaimed) << point;
  }
}

// What the peer did not receive of a channel comes back when it lets go of its end; the session goes on.
TEST_P(LoanConformance, LoansOnTheWayInAClosedChannelComeBack) {
  LoanPair pair(GetParam());
  ASSERT_OK(pair.Lend(10));
  EXPECT_EQ(pair.Ask("borrow 3"), "done");
  EXPECT_EQ(pair.Ask("close"), "done");
  while (pair.arena().loan_stats().loans_out > 3) {
    ASSERT_OK(pair.session().status());  // Takes in what the peer says of the channel.
    pair.Reclaim();
  }
  EXPECT_EQ(pair.arena().loan_stats().loans_out, 3u);
  EXPECT_EQ(pair.Ask("check"), "done");
  EXPECT_EQ(pair.Ask("release"), "done");
  pair.owned().clear();
  EXPECT_EQ(pair.arena().loan_stats(), shm::LoanStats());
  EXPECT_EQ(Item::living, 0);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
