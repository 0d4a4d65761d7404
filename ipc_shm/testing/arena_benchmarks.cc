#include "ipc_shm/testing/arena_benchmarks.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_transport/testing/benchmark_samples.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/clock.h"
#include "third_party/jemalloc/jemalloc.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::ArenaHeader;
using ::ipc::internal::ArenaRegistry;
using ::ipc::internal::NowNanos;
using ::ipc::internal::PagedArena;
using ::ipc::internal::Reservation;
using ::ipc::internal::WindowBytesFor;

template <typename T>
T Checked(absl::StatusOr<T> value) {
  Check(value.status());
  return *std::move(value);
}

template <typename Allocate, typename Free>
void TimePairs(benchmark::State& state, Allocate allocate, Free free) {
  for (auto _ : state) {
    void* block = allocate();
    benchmark::DoNotOptimize(block);
    free(block);
  }
  state.SetItemsProcessed(state.iterations());
}

constexpr size_t kBlockBytes = 64;

void AllocateFreeHeap(benchmark::State& state) {
  TimePairs(state, [] { return std::malloc(kBlockBytes); }, [](void* block) { std::free(block); });
}

void AllocateFreePrivateJemalloc(benchmark::State& state) {
  TimePairs(state, [] { return sluice_je_malloc(kBlockBytes); }, [](void* block) { sluice_je_free(block); });
}

void AllocateFree(benchmark::State& state, ArenaKind kind) {
  const LoneArena lone(kind, size_t{64} << 20);
  PagedArena& arena = *lone.arena;
  TimePairs(
      state, [&] { return arena.TryAllocate(kBlockBytes, 16); }, [&](void* block) { arena.Free(block, kBlockBytes); });
}

constexpr size_t kPayloadBytes = 1'000'000'000;

// What can be written without harm.
size_t PayloadBytes() {
  const size_t available = static_cast<size_t>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return std::min(kPayloadBytes, available / 2);
}

enum class Form { kPlain, kHuge };

// Written by its owner; the region may be mapped for reading.
struct Payload {
  Payload(const ArenaKind& kind, Form form) : lone(kind, size_t{1} << 30), form(form), bytes(PayloadBytes()) {
    if (bytes < kPayloadBytes) absl::StrAppend(&label, "only ", bytes, " bytes: there is not enough memory");
    auto* const block = static_cast<std::byte*>(Checked(lone.arena->Allocate(bytes, 8)));
    offset = static_cast<size_t>(block - lone.region->data());
    std::memset(block, 1, bytes);
    if (form == Form::kHuge) {
      const absl::Status status = lone.region->Collapse(offset, bytes);
      if (!status.ok()) absl::StrAppend(&label, "no huge pages here: ", status.message());
    }
    if (!label.empty()) std::fprintf(stderr, "BM_FirstRead: %s\n", label.c_str());
  }

  // The last one made, if it is of this form: there is room for one.
  static Payload& Of(const ArenaKind& kind, Form form) {
    static std::unique_ptr<Payload> payload;
    if (payload == nullptr || payload->form != form) {
      payload.reset();
      payload = std::make_unique<Payload>(kind, form);
    }
    return *payload;
  }

  // At an address where huge pages fit.
  Region MapForReading() const {
    return Checked(Region::Map(Checked(lone.region->OpenReadOnly()), Access::kReadOnly, Sharing::kManyWriters,
                               Checked(Reservation::Anywhere(lone.region->size()))));
  }

  void ReadAll(const Region& mapped) const {
    const std::byte* const begin = mapped.data() + offset;
    uint64_t sum = 0;
    for (size_t at = 0; at + sizeof(uint64_t) <= bytes; at += sizeof(uint64_t)) {
      uint64_t word;
      std::memcpy(&word, begin + at, sizeof(word));
      sum += word;
    }
    benchmark::DoNotOptimize(sum);
  }

  const LoneArena lone;
  const Form form;
  const size_t bytes;
  size_t offset = 0;
  std::string label;
};

void FirstReadWarm(benchmark::State& state, ArenaKind kind) {
  const Payload& payload = Payload::Of(kind, Form::kPlain);
  const Region mapped = payload.MapForReading();
  payload.ReadAll(mapped);
  Samples samples;
  for (auto _ : state) {
    const int64_t begin = NowNanos();
    payload.ReadAll(mapped);
    samples.Add(NowNanos() - begin);
  }
  samples.Report(state);
  state.SetLabel(payload.label);
}

enum class Ahead { kNothing, kPopulates };

void FirstRead(benchmark::State& state, ArenaKind kind, Form form, Ahead ahead) {
  const Payload& payload = Payload::Of(kind, form);
  Samples samples;
  Samples reads;
  for (auto _ : state) {
    state.PauseTiming();
    {
      const Region mapped = payload.MapForReading();
      state.ResumeTiming();
      const int64_t begin = NowNanos();
      if (ahead == Ahead::kPopulates) {
        Check(mapped.PopulateForReading(payload.offset, payload.bytes));
      }
      const int64_t populated = NowNanos();
      payload.ReadAll(mapped);
      const int64_t end = NowNanos();
      samples.Add(end - begin);
      reads.Add(end - populated);
      state.PauseTiming();
    }
    state.ResumeTiming();
  }
  samples.Report(state);
  if (ahead == Ahead::kPopulates) reads.Report(state, "read_");
  state.SetLabel(payload.label);
}

}  // namespace

LoneArena::LoneArena(const ArenaKind& kind, size_t limit_bytes) {
  const size_t bytes = WindowBytesFor(limit_bytes);
  region = std::make_shared<const Region>(Checked(Region::Create(
      "benchmark", Sharing::kManyWriters, Checked(Reservation::Anywhere(ArenaRegistry::kHeaderBytes + bytes)))));
  auto* const headers = new (region->data()) ArenaHeader[ArenaRegistry::kHeadersPerRegion];
  arena = Checked(kind.create({.region = region, .offset = ArenaRegistry::kHeaderBytes, .bytes = bytes}, limit_bytes,
                              {.header = headers, .peer_header = nullptr, .peer_window = {}}));
}

void RegisterArenaRows(const ArenaKind& kind) {
  using benchmark::RegisterBenchmark;
  const auto name = [&](absl::string_view row, absl::string_view form, absl::string_view size) {
    return absl::StrCat(row, "/", kind.name, form, "/", size);
  };
  RegisterBenchmark("BM_AllocateFree/heap/64", AllocateFreeHeap);
  RegisterBenchmark("BM_AllocateFree/private_jemalloc/64", AllocateFreePrivateJemalloc);
  RegisterBenchmark(name("BM_AllocateFree", "", "64").c_str(), AllocateFree, kind);
  const auto first_read = [](const std::string& row, auto... arguments) {
    RegisterBenchmark(row.c_str(), arguments...)->Unit(benchmark::kMillisecond);
  };
  first_read("BM_FirstRead/warm/1000000000", FirstReadWarm, kind);
  first_read(name("BM_FirstRead", "", "1000000000"), FirstRead, kind, Form::kPlain, Ahead::kNothing);
  first_read(name("BM_FirstRead", "_populated", "1000000000"), FirstRead, kind, Form::kPlain, Ahead::kPopulates);
  first_read(name("BM_FirstRead", "_huge", "1000000000"), FirstRead, kind, Form::kHuge, Ahead::kNothing);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
