// What a session and its channels cost: to open them, to keep them idle, in memory, and beside many others; between two
// processes, each on a core of its own, over a real server.
//
//   ./bazelw run -c opt //perf_demo:session_benchmark            # --quick: within 20 s
//
// BM_SessionOpen: from before Connect to when both sides have their session. p50_ns is without closing it;
// with_close_p50_ns ends when both sides have destroyed theirs. The server sleeps in Accept.
// BM_ChannelOpen: from before OpenChannel to when it returns; the peer polls NextOffer and accepts. with_close_p50_ns
// ends when both sides have destroyed theirs. `asleep`: the peer sleeps in NextOffer.
// The other rows: benchmark_footprint.h, benchmark_beside.h.
//
// After the rows, on stderr, a table of the targets.

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "ipc_session/channel_options.h"
#include "ipc_session/session.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/testing/benchmark_floors.h"
#include "ipc_transport/testing/benchmark_main.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_transport/testing/benchmark_samples.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/testing/temp_dir.h"
#include "perf_demo/benchmark_session.h"
#include "perf_demo/benchmark_table.h"
#include "perf_demo/choices.h"
#include "perf_demo/testing/benchmark_beside.h"
#include "perf_demo/testing/benchmark_footprint.h"

namespace cache_demo {
namespace {

using ::ipc::internal::NowNanos;
using ::ipc::testing::Check;
using ::ipc::testing::Peer;
using ::ipc::testing::Rows;
using ::ipc::testing::Samples;
using ::ipc::testing::SharedMemory;
using ::ipc::testing::TempDir;

// Enough for the other process to go to sleep.
constexpr useconds_t kUntilAsleepMicros = 200;

constexpr Mode kModes[] = {Mode::kHeap, Mode::kClassic, Mode::kJemalloc};
constexpr ipc::PipeKind kPipes[] = {ipc::PipeKind::kRing, ipc::PipeKind::kSocket, ipc::PipeKind::kMq};

// How far the two processes are; numbers that only rise. Release and acquire.
struct Progress {
  alignas(128) std::atomic<uint64_t> opened;
  alignas(128) std::atomic<uint64_t> closed;   // By this side.
  alignas(128) std::atomic<uint64_t> dropped;  // By the peer, after that.
  alignas(128) std::atomic<bool> ended;
};

struct Opening {
  Samples opened;
  Samples with_close;
};

// `open` returns what `close` closes; `pause` comes before each, and is not timed.
template <typename Open, typename Close, typename Pause>
Opening TimeOpening(benchmark::State& state, Open open, Close close, Pause pause) {
  constexpr int kWarmUp = 20;
  for (int i = 0; i < kWarmUp; ++i) close(open());
  Opening result;
  for (auto _ : state) {
    pause();
    const int64_t begin = NowNanos();
    auto what = open();
    result.opened.Add(NowNanos() - begin);
    close(std::move(what));
    result.with_close.Add(NowNanos() - begin);
  }
  result.opened.Report(state);
  result.with_close.Report(state, "with_close_");
  return result;
}

// Of `run`, before the sessions or channels are timed: the median of a floor in the same run.
double FloorNanos(const std::function<void(benchmark::State&)>& run, benchmark::State& state) {
  run(state);
  return state.counters["p50_ns"];
}

void SessionOpen(benchmark::State& state, TargetTable& table, const double& floor, Mode mode) {
  const TempDir folder;
  const SharedMemory<Progress> progress;
  Peer peer(ipc::testing::Cores::kOneEach, [&](ipc::Fd socket) {
    absl::AnyInvocable<ipc::Session()> accept = ListenIn(mode, folder.path());
    Tell(socket);
    for (uint64_t number = 1;; ++number) {
      {
        const ipc::Session session = accept();
        progress->opened.store(number, std::memory_order_release);
        Await(progress->closed, number);
        if (progress->ended.load(std::memory_order_acquire)) return;
      }
      progress->dropped.store(number, std::memory_order_release);
    }
  });
  Hear(peer.socket());
  uint64_t number = 0;
  const auto open = [&] {
    ipc::Session session = ConnectIn(mode, folder.path());
    Await(progress->opened, ++number);
    return session;
  };
  const auto close = [&](ipc::Session session) {
    {
      const ipc::Session last = std::move(session);
    }
    progress->closed.store(number, std::memory_order_release);
    Await(progress->dropped, number);
  };
  const Opening timed = TimeOpening(state, open, close, [] { usleep(kUntilAsleepMicros); });
  progress->ended.store(true, std::memory_order_release);
  const ipc::Session last = open();
  progress->closed.store(number, std::memory_order_release);
  const double nanos = timed.opened.Median();
  table.Set(absl::StrCat("R10 session open, ", Name(mode)), nanos / 1000, 500, "us", floor > 0 ? nanos / floor : 0);
}

// The peer of `ChannelOpen`: accepts what is offered and destroys it when the other side has.
void AcceptChannels(ipc::Session& session, bool sleeps, Progress& progress) {
  for (uint64_t number = 1;;) {
    absl::StatusOr<ipc::ChannelOffer> offer =
        session.NextOffer(sleeps ? ipc::Deadline::Default() : ipc::Deadline::Passed());
    if (absl::IsDeadlineExceeded(offer.status())) continue;
    if (absl::IsUnavailable(offer.status())) return;
    Check(offer.status());
    {
      const absl::StatusOr<ipc::Channel> channel = offer->Accept();
      Check(channel.status());
      Await(progress.closed, number);
    }
    progress.dropped.store(number++, std::memory_order_release);
  }
}

void ChannelOpen(benchmark::State& state, TargetTable& table, const double& floor, ipc::PipeKind pipe,
                 bool peer_sleeps) {
  const TempDir folder;
  const SharedMemory<Progress> progress;
  Peer peer(ipc::testing::Cores::kOneEach, [&](ipc::Fd socket) {
    ipc::Session session = AcceptSession(Mode::kHeap, folder.path(), socket);
    AcceptChannels(session, peer_sleeps, *progress.operator->());
  });
  ipc::Session session = ConnectSession(Mode::kHeap, folder.path(), peer.socket());
  uint64_t number = 0;
  const Opening timed = TimeOpening(
      state,
      [&] {
        absl::StatusOr<ipc::Channel> channel = session.OpenChannel({.pipe = pipe});
        Check(channel.status());
        return *std::move(channel);
      },
      [&](ipc::Channel channel) {
        {
          const ipc::Channel last = std::move(channel);
        }
        progress->closed.store(++number, std::memory_order_release);
        Await(progress->dropped, number);
      },
      [&] {
        if (peer_sleeps) usleep(kUntilAsleepMicros);
      });
  const double nanos = timed.opened.Median();
  const std::string what = absl::StrCat(Name(pipe), peer_sleeps ? ", peer asleep" : "");
  table.Set(absl::StrCat("R10 channel open, ", what), nanos / 1000, 100, "us", floor > 0 ? nanos / floor : 0);
  if (peer_sleeps) return;
  table.Set(absl::StrCat("    with close, ", what), timed.with_close.Median() / 1000, 100, "us");
}

// What all rows share.
struct Run {
  TargetTable table;
  double spin_floor = 0;  // Nanoseconds; 0: not measured.
  double socket_floor = 0;
};

void AddFloor(const std::string& name, double& floor, std::function<void(benchmark::State&)> run) {
  benchmark::RegisterBenchmark(
      name.c_str(), [&floor, run = std::move(run)](benchmark::State& state) { floor = FloorNanos(run, state); });
}

void AddAll(Run& run, Rows rows) {
  using benchmark::RegisterBenchmark;
  AddFloor("BM_FloorRoundTrip/spin/64", run.spin_floor, &ipc::testing::FloorSpinRoundTrip);
  AddFloor("BM_FloorRoundTrip/seqpacket/64", run.socket_floor,
           [](benchmark::State& state) { ipc::testing::FloorSocketRoundTrip(state, ipc::testing::Cores::kOneEach); });
  for (const Mode mode : kModes) {
    RegisterBenchmark(absl::StrCat("BM_SessionOpen/", Name(mode)).c_str(),
                      [&run, mode](benchmark::State& state) { SessionOpen(state, run.table, run.socket_floor, mode); });
  }
  for (const ipc::PipeKind pipe : kPipes) {
    RegisterBenchmark(absl::StrCat("BM_ChannelOpen/", Name(pipe)).c_str(), [&run, pipe](benchmark::State& state) {
      ChannelOpen(state, run.table, run.socket_floor, pipe, false);
    });
  }
  RegisterBenchmark("BM_ChannelOpen/ring/asleep", [&run](benchmark::State& state) {
    ChannelOpen(state, run.table, run.socket_floor, ipc::PipeKind::kRing, true);
  });
  for (const int channels : {1, 64, 1000}) {
    RegisterBenchmark(absl::StrCat("BM_IdleSession/", channels).c_str(), [&run, channels,
                                                                          rows](benchmark::State& state) {
      IdleSession(state, run.table, channels, rows);
    })->Iterations(1);
  }
  for (const Mode mode : kModes) {
    RegisterBenchmark(absl::StrCat("BM_SessionMemory/", Name(mode)).c_str(), [&run, mode](benchmark::State& state) {
      SessionMemory(state, run.table, mode);
    })->Iterations(1);
  }
  RegisterBenchmark("BM_ChannelMemory/ring", [&run](benchmark::State& state) {
    ChannelMemory(state, run.table);
  })->Iterations(1);
  RegisterBenchmark("BM_ChannelRoundTrip/1000", [&run, rows](benchmark::State& state) {
    ChannelRoundTripBeside(state, run.table, rows);
  })->Iterations(1);
}

}  // namespace
}  // namespace cache_demo

int main(int argc, char** argv) {
  cache_demo::Run run;
  const int exit_code =
      ipc::testing::BenchmarkMain(argc, argv, [&](ipc::testing::Rows rows) { cache_demo::AddAll(run, rows); });
  run.table.Print();
  return exit_code;
}
