#include "ipc_shm/testing/string_benchmarks.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/containers.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_transport/testing/benchmark_samples.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/clock.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::NowNanos;
using ::ipc::internal::Reservation;

constexpr int kStrings = 1000;
constexpr size_t kArenaBytes = size_t{64} << 20;

using HeapStrings = std::vector<std::string>;
using ArenaStrings = shm::vector<shm::string>;

// As large as the arena's allocator, and on the heap.
template <typename T>
struct EqualAllocator {
  using value_type = T;
  using is_always_equal = std::false_type;

  EqualAllocator() = default;
  template <typename U>
  EqualAllocator(const EqualAllocator<U>&) {}

  T* allocate(size_t count) { return std::allocator<T>().allocate(count); }
  void deallocate(T* block, size_t count) { std::allocator<T>().deallocate(block, count); }
  friend bool operator==(const EqualAllocator&, const EqualAllocator&) { return true; }

  uint64_t state = 0;
};
using EqualStrings = std::vector<std::basic_string<char, std::char_traits<char>, EqualAllocator<char>>>;
static_assert(sizeof(EqualStrings::value_type) == sizeof(shm::string));

template <typename T>
T Checked(absl::StatusOr<T> value) {
  Check(value.status());
  return *std::move(value);
}

enum class Room { kGrown, kReserved };

template <typename Strings>
void Fill(Strings& strings, Room room) {
  static constexpr absl::string_view kText = "a string of thirty-two bytes ...";
  static_assert(kText.size() == 32);
  if (room == Room::kReserved) strings.reserve(kStrings);
  for (int i = 0; i < kStrings; ++i) strings.emplace_back(kText.data(), kText.size());
}

template <typename Work>
int64_t NanosOf(Work work) {
  const int64_t begin = NowNanos();
  work();
  return NowNanos() - begin;
}

int64_t ConstructOnHeap(Room room) {
  return NanosOf([&] {
    const auto strings = std::make_unique<HeapStrings>();
    Fill(*strings, room);
    benchmark::DoNotOptimize(strings->data());
  });
}

int64_t ConstructInArena(const LoneArena& lone, Room room) {
  return NanosOf([&] {
    void* const place = lone.arena->TryAllocate(sizeof(ArenaStrings), alignof(ArenaStrings));
    const shm::ArenaScope scope(*lone.arena);
    auto* const strings = new (place) ArenaStrings;
    Fill(*strings, room);
    benchmark::DoNotOptimize(strings->data());
    std::destroy_at(strings);
    lone.arena->Free(place, sizeof(ArenaStrings));
  });
}

void ConstructStringsOnHeap(benchmark::State& state, Room room) {
  Samples samples;
  for (auto _ : state) samples.Add(ConstructOnHeap(room));
  samples.Report(state);
}

void ConstructStrings(benchmark::State& state, ArenaKind kind, Room room) {
  const LoneArena lone(kind, kArenaBytes);
  Samples heap, arena;
  for (auto _ : state) {
    heap.Add(ConstructOnHeap(room));
    arena.Add(ConstructInArena(lone, room));
  }
  arena.Report(state);
  state.counters["ratio"] = arena.Median() / heap.Median();
}

// A clock that is read around each walk would be a good part of it.
constexpr int kWalksPerSample = 16;

template <typename Strings>
int64_t Walk(const Strings& strings) {
  const auto walk = [&] {
    size_t sum = 0;
    for (const auto& string : strings) sum += string[7];
    benchmark::DoNotOptimize(sum);
  };
  walk();
  return NanosOf([&] {
           for (int i = 0; i < kWalksPerSample; ++i) walk();
         }) /
         kWalksPerSample;
}

template <typename Strings>
void WalkStringsOnHeap(benchmark::State& state) {
  Strings strings;
  Fill(strings, Room::kGrown);
  Samples samples;
  for (auto _ : state) samples.Add(Walk(strings));
  samples.Report(state);
}

// What the borrower tells of one turn.
struct Walks {
  struct Sample {
    int64_t heap;
    int64_t equal;
    int64_t arena;
  };
  std::array<Sample, 32> samples;
};

// Answers each byte with a turn's walks, until the owner ends.
void AnswerWithWalks(const Fd& owner, const ArenaStrings& lent) {
  HeapStrings heap;
  Fill(heap, Room::kGrown);
  EqualStrings equal;
  Fill(equal, Room::kGrown);
  for (char turn; recv(owner.get(), &turn, sizeof(turn), 0) > 0;) {
    Walks walks;
    for (Walks::Sample& sample : walks.samples) {
      sample = {.heap = Walk(heap), .equal = Walk(equal), .arena = Walk(lent)};
    }
    if (send(owner.get(), &walks, sizeof(walks), MSG_NOSIGNAL) != sizeof(walks)) Die("cannot answer");
  }
}

void WalkStrings(benchmark::State& state, ArenaKind kind, Access access) {
  const LoneArena lone(kind, kArenaBytes);
  const Region& region = *lone.region;
  const shm::ArenaScope scope(*lone.arena);
  auto* const strings = new (lone.arena->TryAllocate(sizeof(ArenaStrings), alignof(ArenaStrings))) ArenaStrings;
  Fill(*strings, Room::kGrown);
  Fd memfd = access == Access::kReadOnly ? Checked(region.OpenReadOnly()) : Checked(Duplicate(region.fd()));
  // The region is not mapped in a forked child.
  Peer borrower(Cores::kOneEach, [&](Fd owner) {
    const Region mapped = Checked(Region::Map(std::move(memfd), access, Sharing::kManyWriters,
                                              Checked(Reservation::At(region.address(), region.size()))));
    AnswerWithWalks(owner, *strings);
  });
  const Fd to_borrower = borrower.TakeSocket();  // Closed first: that ends the borrower.
  Samples heap, equal, arena;
  for (auto _ : state) {
    Walks walks;
    if (send(to_borrower.get(), "", 1, MSG_NOSIGNAL) != 1) Die("the borrower is gone");
    // Without sleep, so that the row's length is as it was asked for: it is counted in the processor's time.
    ssize_t received;
    while ((received = recv(to_borrower.get(), &walks, sizeof(walks), MSG_DONTWAIT)) < 0) sched_yield();
    if (received != sizeof(walks)) Die("the borrower is gone");
    for (const Walks::Sample& sample : walks.samples) {
      heap.Add(sample.heap);
      equal.Add(sample.equal);
      arena.Add(sample.arena);
    }
  }
  arena.Report(state);
  state.counters["ratio"] = arena.Median() / heap.Median();
  state.counters["ratio_equal"] = arena.Median() / equal.Median();
}

}  // namespace

void RegisterStringRows(const ArenaKind& kind, Access access) {
  const auto add = [](const std::string& row, auto... arguments) {
    benchmark::RegisterBenchmark(absl::StrCat(row, "/", kStrings).c_str(), arguments...);
  };
  add("BM_ConstructStrings/heap", ConstructStringsOnHeap, Room::kGrown);
  add(absl::StrCat("BM_ConstructStrings/", kind.name), ConstructStrings, kind, Room::kGrown);
  add("BM_ConstructStrings/heap_reserved", ConstructStringsOnHeap, Room::kReserved);
  add(absl::StrCat("BM_ConstructStrings/", kind.name, "_reserved"), ConstructStrings, kind, Room::kReserved);
  add("BM_WalkStrings/heap", WalkStringsOnHeap<HeapStrings>);
  add("BM_WalkStrings/heap_equal", WalkStringsOnHeap<EqualStrings>);
  add(absl::StrCat("BM_WalkStrings/", kind.name), WalkStrings, kind, access);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
