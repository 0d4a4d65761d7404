#include "perf_demo/testing/benchmark_footprint.h"

#include <malloc.h>
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

struct Memory {
  double resident = 0;  // Bytes.
  double share = 0;     // The same, but of a page that n processes map an n-th.

  // Counted page by page; /proc/self/status lags behind.
  static Memory Now() {
    std::ifstream smaps("/proc/self/smaps_rollup");
    Memory memory;
    double kibibytes;
    for (std::string word; smaps >> word;) {
      if (word == "Rss:" && smaps >> kibibytes) memory.resident = kibibytes * 1024;
      if (word == "Pss:" && smaps >> kibibytes) memory.share = kibibytes * 1024;
    }
    if (memory.resident == 0 || memory.share == 0) Die("the kernel does not tell the resident memory");
    return memory;
  }
};

// What `open` adds on this side, each of `count` times, when it was called once before; counted when both sides are
// done, between two calls of `meet`.
template <typename Open, typename Meet>
Memory MemoryEach(int count, Open open, Meet meet) {
  open();
  malloc_trim(0);  // What was freed before would be used instead of new memory.
  meet();
  const Memory before = Memory::Now();
  meet();
  for (int i = 0; i < count; ++i) open();
  meet();
  const Memory after = Memory::Now();
  meet();
  return {.resident = (after.resident - before.resident) / count, .share = (after.share - before.share) / count};
}

void Meet(ipc::FdView socket) {
  Tell(socket);
  Hear(socket);
}

void SetMemory(benchmark::State& state, TargetTable& table, const std::string& what, const Memory& here,
               const Memory& there, double target) {
  state.counters["client_bytes"] = here.resident;
  state.counters["server_bytes"] = there.resident;
  state.counters["client_share_bytes"] = here.share;
  state.counters["server_share_bytes"] = there.share;
  table.Set(absl::StrCat("R17 memory of a ", what), std::max(here.resident, there.resident) / 1024, target, "KiB");
  table.Set(absl::StrCat("    its share, ", what), std::max(here.share, there.share) / 1024, target, "KiB");
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
  const SharedMemory<Memory> told;
  for (auto _ : state) {
    Peer peer(ipc::testing::Cores::kOneEach, [&](ipc::Fd socket) {
      absl::AnyInvocable<ipc::Session()> accept = ListenIn(mode, folder.path());
      Tell(socket);
      std::vector<ipc::Session> sessions;
      *told.operator->() = MemoryEach(kSessions, [&] { sessions.push_back(accept()); }, [&] { Meet(socket); });
      Meet(socket);
    });
    Hear(peer.socket());
    std::vector<ipc::Session> sessions;
    const Memory here = MemoryEach(
        kSessions, [&] { sessions.push_back(ConnectIn(mode, folder.path())); }, [&] { Meet(peer.socket()); });
    Meet(peer.socket());
    SetMemory(state, table, absl::StrCat("session, ", Name(mode)), here, *told.operator->(), 256);
  }
}

void ChannelMemory(benchmark::State& state, TargetTable& table) {
  const ipc::SessionOptions options = {.outbox_bytes = uint64_t{1} << 30};
  const TempDir folder;
  const SharedMemory<Memory> told;
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
      *told.operator->() = MemoryEach(kManyChannels, accept, [&] { Meet(socket); });
      Meet(socket);
    });
    ipc::Session session = ConnectSession(Mode::kHeap, folder.path(), peer.socket(), options);
    std::vector<ipc::Channel> channels;
    const auto open = [&] {
      absl::StatusOr<ipc::Channel> channel = session.OpenChannel();
      Check(channel.status());
      channels.push_back(*std::move(channel));
    };
    const Memory here = MemoryEach(kManyChannels, open, [&] { Meet(peer.socket()); });
    Meet(peer.socket());
    SetMemory(state, table, "channel, ring", here, *told.operator->(), 16);
  }
}

}  // namespace cache_demo
