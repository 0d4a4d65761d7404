#include "ipc_shm/churn_conformance.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/quarantine.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_transport/channel.h"
#include "ipc_util/internal/mutex.h"
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
using ::ipc::internal::Mutex;
using ::ipc::internal::MutexLock;
using ::ipc::internal::PageRuns;
using ::ipc::internal::Quarantine;
using ::ipc::internal::SessionArena;

constexpr size_t kArenaBytes = size_t{1} << 30;
constexpr absl::Duration kDecay = absl::Seconds(1);
constexpr int kThreads = 4;
// What the borrower holds at a time.
constexpr size_t kMaxBorrowed = 8;
// Objects have from 8 bytes to 64 KiB; half of them are lent.
constexpr size_t kLeastBytes = 8;
constexpr int kDoublings = 13;
// But for one in so many, which may have up to 256 MiB.
constexpr int kSmallPerLarge = 200;
constexpr int kLargeDoublings = 25;

struct Load {
  bool with_large = false;
  size_t max_live_bytes = 0;  // In a thread.
};

std::optional<SessionKindUnderTest>& Kind() {
  static std::optional<SessionKindUnderTest> kind;
  return kind;
}

// What is to come may take as long as a whole test does by default.
void LimitSteps() { alarm(50 * kSlowness); }

// Bytes that are known by the first of them.
class Blob {
 public:
  Blob(uint64_t seed, size_t bytes) : words_(bytes / sizeof(uint64_t), seed) {}

  bool IsGood() const {
    return std::all_of(words_.begin(), words_.end(), [&](uint64_t word) { return word == words_[0]; });
  }

 private:
  shm::vector<uint64_t> words_;
};

// In all regions of sessions that this process has made.
size_t ResidentBytes() {
  size_t bytes = 0;
  std::set<ino_t> seen;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    struct stat file;
    if (target.find("memfd:sluice-classic") == std::string::npos &&
        target.find("memfd:sluice-jemalloc") == std::string::npos) {
      continue;
    }
    if (stat(entry.path().c_str(), &file) == 0 && seen.insert(file.st_ino).second) bytes += file.st_blocks * 512;
  }
  return bytes;
}

// The owner's side.
class Churn {
 public:
  Churn(Session& session, const Load& load) : load_(load), arena_(ArenaOf(session)), channel_(session.TakeChannel(0)) {}

  void Run(int steps) {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([this, t, steps] { RunThread(t, steps); });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_OK(channel_.FinishSending());
  }

  void ExpectLittleMoreThanWasLive() const {
    const MutexLock lock(mutex_);
    std::printf("live at most %zu MB, resident at most %zu MB\n", most_live_ >> 20, most_resident_ >> 20);
    EXPECT_GT(most_live_, load_.max_live_bytes);
    EXPECT_LE(most_resident_, most_live_ / 10 * 13 + PageRuns::kMaxDirtyBytes);
  }

  // The borrower is gone.
  void ExpectAllGoesBack() {
    const absl::Time limit = absl::Now() + 2 * kDecay + TimeLimit();
    while (ResidentBytes() > kLeftBytes && absl::Now() < limit) {
      arena_.Reclaim(100'000);
      absl::SleepFor(absl::Milliseconds(10));
    }
    EXPECT_EQ(arena_.arena_stats().live_allocations, 0u);
    EXPECT_EQ(arena_.arena_stats().allocated_bytes, 0u);
    EXPECT_EQ(arena_.loan_stats(), shm::LoanStats());
    EXPECT_LE(ResidentBytes(), kLeftBytes);
  }

 private:
  // The regions' headers, of both sides.
  static constexpr size_t kLeftBytes = size_t{256} << 10;

  struct Owned {
    std::shared_ptr<Blob> blob;
    size_t bytes;
  };

  void RunThread(int number, int steps) {
    std::mt19937_64 random(number);
    std::vector<Owned> owned;
    size_t live = 0;
    const auto drop_one = [&] {
      std::swap(owned[random() % owned.size()], owned.back());
      live -= owned.back().bytes;
      owned.pop_back();
    };
    for (int step = 0; step < steps; ++step) {
      if (step % 1000 == 0) LimitSteps();
      const int doublings = load_.with_large && random() % kSmallPerLarge == 0 ? kLargeDoublings : kDoublings;
      const size_t least = kLeastBytes << (random() % doublings);
      const size_t bytes = least + random() % least;
      while (!owned.empty() && live + bytes > load_.max_live_bytes) drop_one();
      absl::StatusOr<std::shared_ptr<Blob>> blob = arena_.Construct<Blob>(random(), bytes);
      if (!blob.ok()) {  // The arena may be full of what the others have.
        ASSERT_THAT(blob.status(), StatusIs(absl::StatusCode::kResourceExhausted));
        arena_.Reclaim(100);
        continue;
      }
      if (random() % 2 == 0) Lend(*blob);
      owned.push_back({*std::move(blob), bytes});
      live += bytes;
      if (step % 16 == 0 || bytes > 1'000'000) TakeSample();
    }
    for (const Owned& each : owned) EXPECT_TRUE(each.blob->IsGood());
  }

  void Lend(const std::shared_ptr<Blob>& blob) {
    ASSERT_OK_AND_ASSIGN(shm::Loan loan, arena_.Lend(blob));
    const MutexLock lock(mutex_);
    ASSERT_OK(shm::SendLoan(channel_, std::move(loan), TimeLimit()));
  }

  void TakeSample() {
    arena_.Reclaim(100);
    const size_t live = arena_.arena_stats().allocated_bytes;
    const size_t resident = ResidentBytes();
    const MutexLock lock(mutex_);
    most_live_ = std::max(most_live_, live);
    most_resident_ = std::max(most_resident_, resident);
  }

  const Load load_;
  SessionArena arena_;
  Channel channel_;
  mutable Mutex mutex_;
  size_t most_live_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t most_resident_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::Status ReadAll(Session& session) {
  SessionArena arena = ArenaOf(session);
  Channel channel = session.TakeChannel(0);
  std::deque<std::shared_ptr<const Blob>> borrowed;
  while (true) {
    const absl::StatusOr<shm::LoanRef> ref = shm::ReceiveLoan(channel, 10 * TimeLimit());
    if (absl::IsOutOfRange(ref.status())) return absl::OkStatus();  // The owner has finished.
    if (!ref.ok()) return ref.status();
    SLUICE_ASSIGN_OR_RETURN(borrowed.emplace_back(), arena.Borrow<Blob>(*ref));
    if (borrowed.size() < kMaxBorrowed) continue;
    LimitSteps();
    if (!borrowed.front()->IsGood()) return absl::DataLossError("a borrowed object is spoilt");
    borrowed.pop_front();
  }
}

SessionOptions Options(const std::string& folder) {
  SessionOptions options = OptionsIn(folder);
  options.arena_bytes = kArenaBytes;
  options.arena_decay = kDecay;
  return options;
}

SLUICE_CHILD_ROLE(churn_borrower) {
  absl::StatusOr<Session> session = Kind()->connect(Options(arguments[0]));
  const absl::Status status = session.ok() ? ReadAll(*session) : session.status();
  TellParent(status.ToString());
  return 0;
}

void RunWith(const Load& load) {
  const char* const text = std::getenv("CHURN_STEPS");
  int steps = 6000;
  ASSERT_TRUE(text == nullptr || absl::SimpleAtoi(text, &steps));
  const TempDir folder;
  ServerOptions options = ServerOptionsIn(folder.path());
  options.session = Options(folder.path());
  std::optional<Child> borrower;
  const auto start = [&] { borrower.emplace(Child::Start("churn_borrower", {folder.path()})); };
  const absl::Status ended = Kind()->serve(options, start, [&](Session& session) {
    Churn churn(session, load);
    churn.Run(steps);
    EXPECT_EQ(borrower->Hear(), "OK");
    EXPECT_EQ(borrower->Wait(), 0);
    if (!Quarantine::kIsOn) {  // It keeps what is freed.
      churn.ExpectLittleMoreThanWasLive();
      churn.ExpectAllGoesBack();
    }
    return absl::CancelledError();
  });
  EXPECT_THAT(ended, StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace

int SetChurnKind(const SessionKindUnderTest& kind) {
  Kind() = kind;
  return 0;
}

// M6
TEST_P(ChurnConformance, ARegionHoldsLittleMoreThanWhatLives) {
  RunWith({.with_large = true, .max_live_bytes = size_t{100} << 20});
}

TEST_P(ChurnConformance, SmallBlocksDoNotScatter) {
  RunWith({.with_large = false, .max_live_bytes = size_t{16} << 20});
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
