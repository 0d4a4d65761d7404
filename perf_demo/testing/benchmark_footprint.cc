#include "perf_demo/testing/benchmark_footprint.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/temp_dir.h"
#include "perf_demo/benchmark_session.h"

namespace cache_demo {
namespace {

using ::ipc::testing::Check;
using ::ipc::testing::Die;
using ::ipc::testing::Peer;
using ::ipc::testing::Rows;
using ::ipc::testing::SharedMemory;
using ::ipc::testing::TempDir;

constexpr int kManyChannels = 1000;

int Entries(const std::string& folder) {
  int entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++entries;
  return entries;
}

// How often the threads of `pid` have gone to sleep.
uint64_t Sleeps(pid_t pid) {
  uint64_t sum = 0;
  for (const auto& task : std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/task"))) {
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      constexpr absl::string_view kKey = "voluntary_ctxt_switches:";
      uint64_t switches;
      if (!absl::StartsWith(line, kKey)) continue;
      if (!absl::SimpleAtoi(line.substr(kKey.size()), &switches)) Die("the kernel tells no number of sleeps");
      sum += switches;
    }
  }
  return sum;
}

struct Footprint {
  int threads = 0;
  int descriptors = 0;

  static Footprint Now() { return {.threads = Entries("/proc/self/task"), .descriptors = Entries("/proc/self/fd")}; }
};

// Memory.

// Counted page by page; /proc/self/status lags behind.
uint64_t ResidentBytes() {
  std::ifstream smaps("/proc/self/smaps_rollup");
  std::string word;
  uint64_t kibibytes;
  while (smaps >> word) {
    if (word == "Rss:" && smaps >> kibibytes) return kibibytes * 1024;
  }
  Die("the kernel does not tell the resident memory");
}

// What `open` adds on this side, each of `count` times, when it was called once before.
template <typename Open>
double BytesEach(int count, Open open) {
  open();
  const uint64_t before = ResidentBytes();
  for (int i = 0; i < count; ++i) open();
  return (static_cast<double>(ResidentBytes()) - static_cast<double>(before)) / count;
}

struct MemoryTold {
  std::atomic<double> bytes;  // The packet that follows orders it.
};

void SetMemory(benchmark::State& state, TargetTable& table, const std::string& what, double here, double there,
               double target) {
  state.counters["client_bytes"] = here;
  state.counters["server_bytes"] = there;
  table.Set(what, std::max(here, there) / 1024, target, "KiB");
}

}  // namespace

void IdleSession(benchmark::State& state, TargetTable& table, int channels, Rows rows) {
  struct Told {
    std::atomic<pid_t> pid;  // Release and acquire; of what follows, too.
    Footprint added;
  };
  const TempDir folder;
  const SharedMemory<Told> told;
  const ipc::SessionOptions options = {.channels = channels};
  Peer peer(ipc::testing::Cores::kOneEach, [&](ipc::Fd socket) {
    const Footprint before = Footprint::Now();
    ipc::Session session = AcceptSession(Mode::kHeap, folder.path(), socket, options);
    std::vector<ipc::Channel> taken;
    for (int i = 0; i < channels; ++i) taken.push_back(session.TakeChannel(i));
    for (ipc::Channel& channel : taken) {
      session.OnReady(channel, [&channel] { return channel.TryReceive({}).ok(); });
    }
    absl::Status end = session.Dispatch(absl::Milliseconds(1));  // Makes its descriptors.
    const Footprint after = Footprint::Now();
    told->added = {.threads = after.threads - before.threads, .descriptors = after.descriptors - before.descriptors};
    told->pid.store(getpid(), std::memory_order_release);
    Tell(socket);
    while (end.ok() || absl::IsDeadlineExceeded(end)) end = session.Dispatch(ipc::Deadline::Never());
  });
  const ipc::Session session = ConnectSession(Mode::kHeap, folder.path(), peer.socket(), options);
  Hear(peer.socket());
  const pid_t pid = told->pid.load(std::memory_order_acquire);
  usleep(50'000);  // It goes to sleep.
  const useconds_t watched = rows == Rows::kQuick ? 200'000 : 1'000'000;
  for (auto _ : state) {
    const uint64_t before = Sleeps(pid);
    usleep(watched);
    state.counters["wakeups_per_second"] = 1e6 * (Sleeps(pid) - before) / watched;
  }
  state.counters["threads"] = told->added.threads;
  state.counters["descriptors"] = told->added.descriptors;
  const std::string of = absl::StrCat(channels, channels == 1 ? " channel" : " channels");
  table.Set(absl::StrCat("R16 wake-ups, ", of), state.counters["wakeups_per_second"], 0, "/s");
  table.Set(absl::StrCat("R16 threads, ", of), told->added.threads, 0, "");
  table.Set(absl::StrCat("R16 descriptors, ", of), told->added.descriptors, 16, "");
}

void SessionMemory(benchmark::State& state, TargetTable& table, Mode mode) {
  constexpr int kSessions = 16;
  const TempDir folder;
  const SharedMemory<MemoryTold> told;
  for (auto _ : state) {
    Peer peer(ipc::testing::Cores::kOneEach, [&](ipc::Fd socket) {
      absl::AnyInvocable<ipc::Session()> accept = ListenIn(mode, folder.path());
      Tell(socket);
      std::vector<ipc::Session> sessions;
      told->bytes.store(BytesEach(kSessions, [&] { sessions.push_back(accept()); }), std::memory_order_relaxed);
      Tell(socket);
      Hear(socket);
    });
    Hear(peer.socket());
    std::vector<ipc::Session> sessions;
    const double here = BytesEach(kSessions, [&] { sessions.push_back(ConnectIn(mode, folder.path())); });
    Hear(peer.socket());
    SetMemory(state, table, absl::StrCat("R17 memory of a session, ", Name(mode)), here,
              told->bytes.load(std::memory_order_relaxed), 256);
    Tell(peer.socket());
  }
}

void ChannelMemory(benchmark::State& state, TargetTable& table) {
  const ipc::SessionOptions options = {.outbox_bytes = uint64_t{1} << 30};
  const TempDir folder;
  const SharedMemory<MemoryTold> told;
  for (auto _ : state) {
    Peer peer(ipc::testing::Cores::kOneEach, [&](ipc::Fd socket) {
      ipc::Session session = AcceptSession(Mode::kHeap, folder.path(), socket, options);
      std::vector<ipc::Channel> channels;
      const auto accept = [&] {
        absl::StatusOr<ipc::ChannelOffer> offer = session.NextOffer();
        Check(offer.status());
        absl::StatusOr<ipc::Channel> channel = offer->Accept();
        Check(channel.status());
        channels.push_back(*std::move(channel));
      };
      told->bytes.store(BytesEach(kManyChannels, accept), std::memory_order_relaxed);
      Tell(socket);
      Hear(socket);
    });
    ipc::Session session = ConnectSession(Mode::kHeap, folder.path(), peer.socket(), options);
    std::vector<ipc::Channel> channels;
    const double here = BytesEach(kManyChannels, [&] {
      absl::StatusOr<ipc::Channel> channel = session.OpenChannel();
      Check(channel.status());
      channels.push_back(*std::move(channel));
    });
    Hear(peer.socket());
    SetMemory(state, table, "R17 memory of a channel, ring", here, told->bytes.load(std::memory_order_relaxed), 16);
    Tell(peer.socket());
  }
}

}  // namespace cache_demo
