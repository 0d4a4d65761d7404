// What was measured with one file in one mode; and its row in a file of tab-separated values.

#ifndef SLUICE_PERF_DEMO_RESULT_H_
#define SLUICE_PERF_DEMO_RESULT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_transport/pipe.h"
#include "perf_demo/choices.h"

namespace cache_demo {

// Times are in nanoseconds.
struct Result {
  Mode mode = Mode::kClassic;
  ipc::WaitMode wait = ipc::WaitMode::kAdaptive;
  std::string file = {};  // Without control characters.
  uint64_t bytes = 0;
  // The round trip: from just before the request is built to just after the first part's hash is compared.
  uint64_t iterations = 0;
  uint64_t p50_ns = 0;
  uint64_t p99_ns = 0;
  uint64_t max_ns = 0;
  // Once: the server builds the answer; the client reads every byte of it for the first time, which brings in the
  // pages; reads them again; and hashes as many parts as `verify` says.
  uint64_t build_ns = 0;
  uint64_t first_read_ns = 0;
  uint64_t read_all_ns = 0;
  uint64_t verify_ns = 0;
  Verify verify = Verify::kAll;
  // When the file had arrived: memory of both processes; shared memory is in both figures of those who touched it.
  uint64_t server_private_bytes = 0;
  uint64_t server_shared_bytes = 0;
  uint64_t client_private_bytes = 0;
  uint64_t client_shared_bytes = 0;

  friend bool operator==(const Result&, const Result&) = default;
};

// Names of columns, and a row, both with a line feed.
std::string TsvHeader();
std::string ToTsvRow(const Result& result);

// A row, without its line feed. INVALID_ARGUMENT: it is none; the text has it.
absl::StatusOr<Result> ParseTsvRow(absl::string_view row);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_RESULT_H_
