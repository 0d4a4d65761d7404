// What a loan costs both sides of a session.

#ifndef SLUICE_IPC_SHM_TESTING_LOAN_BENCHMARK_H_
#define SLUICE_IPC_SHM_TESTING_LOAN_BENCHMARK_H_

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"
#include "ipc_session/server.h"
#include "ipc_session/session_terms.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/loan.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_transport/testing/benchmark_samples.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// What the owner hands to the borrower, beside the session: how references travel is not measured.
struct LoanBatch {
  static constexpr size_t kLoans = 1000;
  enum Turn : int { kNobody, kConnect, kOwner, kBorrower, kEnd };

  // Release by who hands over, acquire by who takes over.
  std::atomic<int> turn{kNobody};
  std::array<shm::LoanRef, kLoans> refs;
  int64_t borrower_nanos;  // Of the processor, for the last batch.

  void HandTo(Turn next) { turn.store(next, std::memory_order_release); }
  // Returns whose turn it is, once it is not `now` any more; dies unless `other_lives()` until then.
  template <typename OtherLives>
  int WaitWhile(int now, OtherLives other_lives) const {
    int next = turn.load(std::memory_order_acquire);
    for (; next == now; next = turn.load(std::memory_order_acquire)) {
      if (!other_lives()) Die("the other process is gone");
      sched_yield();
    }
    return next;
  }
};

// The processor's time of this thread.
inline int64_t ThreadNanos() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

struct LentItem {
  uint64_t number = 0;
};

template <typename Session>
void BorrowBatches(const SessionOptions& options, LoanBatch& batch) {
  const auto owner_lives = [parent = getppid()] { return getppid() == parent; };
  batch.WaitWhile(LoanBatch::kNobody, owner_lives);
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, options);
  Check(session.status());
  std::vector<std::shared_ptr<const LentItem>> items;
  items.reserve(LoanBatch::kLoans);
  for (int turn = LoanBatch::kConnect; turn != LoanBatch::kEnd;) {
    if (turn == LoanBatch::kBorrower) {
      const int64_t begin = ThreadNanos();
      for (const shm::LoanRef& ref : batch.refs) {
        absl::StatusOr<std::shared_ptr<const LentItem>> item = session->template Borrow<LentItem>(ref);
        Check(item.status());
        items.push_back(*std::move(item));
      }
      items.clear();
      batch.borrower_nanos = ThreadNanos() - begin;
      batch.HandTo(LoanBatch::kOwner);
      turn = LoanBatch::kOwner;
    }
    turn = batch.WaitWhile(turn, owner_lives);
  }
}

template <typename Session, typename Server>
void LendBorrowRelease(benchmark::State& state) {
  const TempDir folder;
  SharedMemory<LoanBatch> batch;
  const Peer peer(Cores::kOneEach, [&](Fd) { BorrowBatches<Session>(OptionsIn(folder.path()), *batch.operator->()); });
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(folder.path()));
  Check(server.status());
  batch->HandTo(LoanBatch::kConnect);
  absl::StatusOr<Session> session = server->Accept(TimeLimit());
  Check(session.status());
  std::vector<std::shared_ptr<LentItem>> items;
  for (size_t i = 0; i < LoanBatch::kLoans; ++i) {
    absl::StatusOr<std::shared_ptr<LentItem>> item = session->arena().template Construct<LentItem>();
    Check(item.status());
    items.push_back(*std::move(item));
  }
  Samples both, owner;
  for (auto _ : state) {
    int64_t begin = ThreadNanos();
    for (size_t i = 0; i < items.size(); ++i) {
      absl::StatusOr<shm::Loan> loan = session->Lend(items[i]);
      Check(loan.status());
      batch->refs[i] = loan->ref();
      std::move(*loan).Sent();
    }
    int64_t owner_nanos = ThreadNanos() - begin;
    batch->HandTo(LoanBatch::kBorrower);
    batch->WaitWhile(LoanBatch::kBorrower, [&] { return session->status().ok(); });
    begin = ThreadNanos();
    session->Reclaim(0);
    owner_nanos += ThreadNanos() - begin;
    if (session->loan_stats().loans_out != 0) Die("loans are still out");
    owner.Add(static_cast<uint64_t>(owner_nanos) / LoanBatch::kLoans);
    const int64_t nanos = owner_nanos + batch->borrower_nanos;
    both.Add(static_cast<uint64_t>(nanos) / LoanBatch::kLoans);
  }
  batch->HandTo(LoanBatch::kEnd);
  both.Report(state);
  owner.Report(state, "owner_");
}

// Registers BM_LendBorrowRelease/<name>: the processor's time of both sides for one of a batch of 1000 objects that are
// lent, borrowed, given back and found to be back, in the percentiles; the owner keeps the objects. The clock has more.
template <typename Session, typename Server>
void RegisterLoanRow(absl::string_view name) {
  benchmark::RegisterBenchmark(absl::StrCat("BM_LendBorrowRelease/", name).c_str(), LendBorrowRelease<Session, Server>);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_LOAN_BENCHMARK_H_
