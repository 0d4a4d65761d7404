#include "perf_demo/measure.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"
#include "perf_demo/cache.capnp.h"
#include "perf_demo/memory.h"
#include "perf_demo/read_answer.h"
#include "perf_demo/statistics.h"
#include "perf_demo/universe.h"

namespace cache_demo {
namespace {

constexpr uint64_t kSmallFileBytes = 1'000'000;
constexpr uint64_t kMinSmallIterations = 1'000;
constexpr uint64_t kMinIterations = 3;
constexpr uint64_t kMaxIterations = 200'000;
constexpr uint64_t kTimedNanos = 2'000'000'000;
constexpr uint64_t kTurnNanos = 5'000'000;
constexpr uint64_t kMaxWarmUps = 100;
constexpr uint64_t kWarmUpNanos = 100'000'000;
// The server builds the answer first: a large file may come from a slow disk.
constexpr absl::Duration kFirstAnswerTime = absl::Minutes(10);

// Runs `body` and returns what it took.
template <typename Body>
uint64_t NanosOf(Body body) {
  const int64_t begin = ipc::internal::NowNanos();
  body();
  return ipc::internal::NowNanos() - begin;
}

void KeepAlive(uint64_t value) { asm volatile("" : : "r"(value)); }

// A file, and what is known of it so far.
struct Series {
  Result result;
  uint64_t first_hash = 0;  // Of the first part; all answers must have it.
  std::vector<uint64_t> samples = {};
  uint64_t nanos = 0;  // The sum of the samples.
};

absl::Status AskFirst(Asker& asker, const MeasureOptions& options, Series& series) {
  Result& result = series.result;
  SLUICE_ASSIGN_OR_RETURN(const Body::Reader body, asker.Ask(result.file, kFirstAnswerTime));
  SLUICE_ASSIGN_OR_RETURN(const GetCacheRsp::Reader file, FileIn(body));
  result.bytes = FileBytes(file);
  result.build_ns = file.getBuildNanos();
  result.first_read_ns = NanosOf([&] { KeepAlive(SumOfBytes(file)); });
  result.read_all_ns = NanosOf([&] { KeepAlive(SumOfBytes(file)); });
  absl::Status verified;
  result.verify_ns = NanosOf([&] { verified = VerifyParts(file, options.verify); });
  SLUICE_RETURN_IF_ERROR(verified);
  series.first_hash = file.getFileParts()[0].getHash();
  asker.Release();
  return absl::OkStatus();
}

// One round trip, and what it took.
absl::StatusOr<uint64_t> TimeOne(Asker& asker, const std::string& name, uint64_t first_hash) {
  const int64_t begin = ipc::internal::NowNanos();
  SLUICE_ASSIGN_OR_RETURN(const Body::Reader body, asker.Ask(name, kAnswerTime));
  SLUICE_ASSIGN_OR_RETURN(const GetCacheRsp::Reader file, FileIn(body));
  const bool is_same = file.getFileParts()[0].getHash() == first_hash;
  const uint64_t nanos = ipc::internal::NowNanos() - begin;
  if (!is_same) return absl::DataLossError("the first part's hash differs from the one before");
  asker.Release();
  return nanos;
}

absl::Status WarmUp(Asker& asker, const Series& series, uint64_t iterations) {
  const uint64_t count = iterations == 0 ? kMaxWarmUps : std::min(iterations, kMaxWarmUps);
  uint64_t nanos = 0;
  for (uint64_t i = 0; i < count && nanos < kWarmUpNanos; ++i) {
    SLUICE_ASSIGN_OR_RETURN(const uint64_t taken, TimeOne(asker, series.result.file, series.first_hash));
    nanos += taken;
  }
  return absl::OkStatus();
}

void TakeMemory(const Asker& asker, Result& result) {
  // Zero where the system does not tell: a server in another pid namespace has none here.
  const ProcessMemory server = MemoryOf(asker.server_pid()).value_or(ProcessMemory());
  const ProcessMemory client = MemoryOf(getpid()).value_or(ProcessMemory());
  result.server_private_bytes = server.private_bytes;
  result.server_shared_bytes = server.shared_bytes;
  result.client_private_bytes = client.private_bytes;
  result.client_shared_bytes = client.shared_bytes;
}

bool IsDone(const Series& series, uint64_t iterations) {
  const uint64_t count = series.samples.size();
  if (iterations != 0) return count >= iterations;
  const uint64_t at_least = series.result.bytes <= kSmallFileBytes ? kMinSmallIterations : kMinIterations;
  return count >= at_least && (count >= kMaxIterations || series.nanos >= kTimedNanos);
}

absl::Status TakeTurn(Asker& asker, uint64_t iterations, Series& series) {
  const uint64_t end = series.nanos + kTurnNanos;
  while (series.nanos < end && !IsDone(series, iterations)) {
    SLUICE_ASSIGN_OR_RETURN(const uint64_t nanos, TimeOne(asker, series.result.file, series.first_hash));
    series.samples.push_back(nanos);
    series.nanos += nanos;
  }
  return absl::OkStatus();
}

Result Finished(Series series) {
  const Statistics statistics = Summarize(std::move(series.samples));
  series.result.iterations = statistics.count;
  series.result.p50_ns = statistics.p50;
  series.result.p99_ns = statistics.p99;
  series.result.max_ns = statistics.max;
  return std::move(series.result);
}

absl::StatusOr<Series> Prepare(Asker& asker, const std::string& file, const MeasureOptions& options) {
  Series series = {.result = {.file = file, .verify = options.verify}};
  SLUICE_RETURN_IF_ERROR(AskFirst(asker, options, series));
  SLUICE_RETURN_IF_ERROR(WarmUp(asker, series, options.iterations));
  TakeMemory(asker, series.result);
  return series;
}

absl::Status About(const std::string& file, const absl::Status& status) {
  return ipc::WithContext(status, absl::StrCat("ask for file \"", file, "\""));
}

}  // namespace

absl::StatusOr<std::vector<Result>> Measure(Asker& asker, absl::Span<const std::string> files,
                                            const MeasureOptions& options) {
  if (files.size() > kMaxFilesAtATime) {
    return absl::InvalidArgumentError(absl::StrCat(files.size(), " files are too many; give ", kMaxFilesAtATime));
  }
  std::vector<Series> all;
  for (const std::string& file : files) {
    absl::StatusOr<Series> series = Prepare(asker, file, options);
    if (!series.ok()) return About(file, series.status());
    all.push_back(*std::move(series));
  }
  const auto is_done = [&](const Series& series) { return IsDone(series, options.iterations); };
  while (!absl::c_all_of(all, is_done)) {
    for (Series& series : all) {
      SLUICE_RETURN_IF_ERROR(About(series.result.file, TakeTurn(asker, options.iterations, series)));
    }
  }
  std::vector<Result> results;
  for (Series& series : all) results.push_back(Finished(std::move(series)));
  return results;
}

}  // namespace cache_demo
