#include "perf_demo/measure.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"
#include "perf_demo/cache.capnp.h"
#include "perf_demo/memory.h"
#include "perf_demo/read_answer.h"
#include "perf_demo/statistics.h"

namespace cache_demo {
namespace {

constexpr uint64_t kSmallFileBytes = 1'000'000;
constexpr uint64_t kMinSmallIterations = 1'000;
constexpr uint64_t kMinIterations = 3;
constexpr uint64_t kMaxIterations = 1'000'000;
constexpr uint64_t kTimedNanos = 2'000'000'000;
constexpr uint64_t kMaxWarmUps = 100;
constexpr uint64_t kWarmUpNanos = 100'000'000;
// The server builds the answer first: a large file may come from a slow disk.
constexpr absl::Duration kFirstAnswerTime = absl::Minutes(10);

uint64_t NowNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}

// Runs `body` and returns what it took.
template <typename Body>
uint64_t NanosOf(Body body) {
  const uint64_t begin = NowNanos();
  body();
  return NowNanos() - begin;
}

void KeepAlive(uint64_t value) { asm volatile("" : : "r"(value)); }

// Answers `first_hash`, which the following answers must have too.
absl::StatusOr<uint64_t> AskFirst(Asker& asker, const MeasureOptions& options, Result& result) {
  SLUICE_ASSIGN_OR_RETURN(const Body::Reader body, asker.Ask(result.file, kFirstAnswerTime));
  SLUICE_ASSIGN_OR_RETURN(const GetCacheRsp::Reader file, FileIn(body));
  result.bytes = FileBytes(file);
  result.build_ns = file.getBuildNanos();
  result.first_read_ns = NanosOf([&] { KeepAlive(SumOfBytes(file)); });
  result.read_all_ns = NanosOf([&] { KeepAlive(SumOfBytes(file)); });
  absl::Status verified;
  result.verify_ns = NanosOf([&] { verified = VerifyParts(file, options.verify); });
  SLUICE_RETURN_IF_ERROR(verified);
  const uint64_t first_hash = file.getFileParts()[0].getHash();
  asker.Release();
  return first_hash;
}

// One round trip, and what it took.
absl::StatusOr<uint64_t> TimeOne(Asker& asker, const std::string& name, uint64_t first_hash) {
  const uint64_t begin = NowNanos();
  SLUICE_ASSIGN_OR_RETURN(const Body::Reader body, asker.Ask(name, ipc::Deadline::Default()));
  SLUICE_ASSIGN_OR_RETURN(const GetCacheRsp::Reader file, FileIn(body));
  const bool is_same = file.getFileParts()[0].getHash() == first_hash;
  const uint64_t nanos = NowNanos() - begin;
  if (!is_same) return absl::DataLossError("the first part's hash differs from the one before");
  asker.Release();
  return nanos;
}

absl::Status WarmUp(Asker& asker, const std::string& name, uint64_t first_hash, uint64_t iterations) {
  const uint64_t count = iterations == 0 ? kMaxWarmUps : std::min(iterations, kMaxWarmUps);
  uint64_t nanos = 0;
  for (uint64_t i = 0; i < count && nanos < kWarmUpNanos; ++i) {
    SLUICE_ASSIGN_OR_RETURN(const uint64_t taken, TimeOne(asker, name, first_hash));
    nanos += taken;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint64_t>> TimeMany(Asker& asker, const Result& result, uint64_t first_hash,
                                               uint64_t iterations) {
  const uint64_t at_least = result.bytes <= kSmallFileBytes ? kMinSmallIterations : kMinIterations;
  const uint64_t begin = NowNanos();
  std::vector<uint64_t> samples;
  samples.reserve(iterations == 0 ? kMaxIterations : iterations);
  const auto is_done = [&] {
    if (iterations != 0) return samples.size() >= iterations;
    if (samples.size() < at_least) return false;
    return samples.size() >= kMaxIterations || NowNanos() - begin >= kTimedNanos;
  };
  while (!is_done()) {
    SLUICE_ASSIGN_OR_RETURN(const uint64_t nanos, TimeOne(asker, result.file, first_hash));
    samples.push_back(nanos);
  }
  return samples;
}

absl::Status MeasureInto(Asker& asker, const MeasureOptions& options, Result& result) {
  SLUICE_ASSIGN_OR_RETURN(const uint64_t first_hash, AskFirst(asker, options, result));
  SLUICE_RETURN_IF_ERROR(WarmUp(asker, result.file, first_hash, options.iterations));
  SLUICE_ASSIGN_OR_RETURN(std::vector<uint64_t> samples, TimeMany(asker, result, first_hash, options.iterations));
  const Statistics statistics = Summarize(std::move(samples));
  result.iterations = statistics.count;
  result.p50_ns = statistics.p50;
  result.p99_ns = statistics.p99;
  result.max_ns = statistics.max;
  // Zero where the system does not tell: a server in another pid namespace has none here.
  const ProcessMemory server = MemoryOf(asker.server_pid()).value_or(ProcessMemory());
  const ProcessMemory client = MemoryOf(getpid()).value_or(ProcessMemory());
  result.server_private_bytes = server.private_bytes;
  result.server_shared_bytes = server.shared_bytes;
  result.client_private_bytes = client.private_bytes;
  result.client_shared_bytes = client.shared_bytes;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Result> Measure(Asker& asker, const std::string& file, const MeasureOptions& options) {
  Result result = {.file = file, .verify = options.verify};
  const absl::Status measured = MeasureInto(asker, options, result);
  if (!measured.ok()) return ipc::WithContext(measured, absl::StrCat("ask for file \"", file, "\""));
  return result;
}

}  // namespace cache_demo
