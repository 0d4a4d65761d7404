// Asks a cache_server for files by name, checks them, and tells what it took:
//
//   cache_client --mode=classic 1MB 1GB

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_util/internal/status_macros.h"
#include "perf_demo/asker.h"
#include "perf_demo/choices.h"
#include "perf_demo/exit_code.h"
#include "perf_demo/machine.h"
#include "perf_demo/measure.h"
#include "perf_demo/report.h"
#include "perf_demo/result.h"

ABSL_FLAG(std::string, mode, "classic", "The server's mode: socket, heap, classic or jemalloc.");
ABSL_FLAG(std::string, wait, "adaptive", "How to wait for answers: adaptive, spin or sleep.");
ABSL_FLAG(uint64_t, iterations, 0, "How often to ask for each file; 0: 1000 times at least if small, or for 2 s.");
ABSL_FLAG(std::string, verify, "all", "Which parts of a file to hash and compare: first or all.");
ABSL_FLAG(std::string, format, "table", "How to tell: table, json or tsv, whose rows come as files are done.");
ABSL_FLAG(std::string, app, "", "Which app of the universe to be. Empty: the one that the server lets in.");
ABSL_FLAG(std::string, run_folder, "", "Where the server's socket lies. Empty: /run/sluice or /tmp/sluice-UID.");

namespace cache_demo {
namespace {

absl::Status Run(const std::vector<char*>& arguments) {
  const std::vector<std::string> files(arguments.begin() + 1, arguments.end());
  if (files.empty()) return absl::InvalidArgumentError("no file to ask for; name one or more, as 1MB");
  const std::string app = absl::GetFlag(FLAGS_app);
  AskerOptions asker_options = {.run_folder = absl::GetFlag(FLAGS_run_folder), .app = app};
  SLUICE_ASSIGN_OR_RETURN(asker_options.mode, ParseMode("mode", absl::GetFlag(FLAGS_mode)));
  SLUICE_ASSIGN_OR_RETURN(asker_options.wait, ParseWait("wait", absl::GetFlag(FLAGS_wait)));
  MeasureOptions measure_options = {.iterations = absl::GetFlag(FLAGS_iterations)};
  SLUICE_ASSIGN_OR_RETURN(measure_options.verify, ParseVerify("verify", absl::GetFlag(FLAGS_verify)));
  SLUICE_ASSIGN_OR_RETURN(const Format format, ParseFormat("format", absl::GetFlag(FLAGS_format)));
  SLUICE_ASSIGN_OR_RETURN(const std::unique_ptr<Asker> asker, Connect(asker_options));
  Report report;
  const auto tell_at_once = [&](const std::string& row) {
    if (format != Format::kTsv) return;
    std::fputs(row.c_str(), stdout);
    std::fflush(stdout);
  };
  tell_at_once(TsvHeader());
  for (size_t done = 0; done < files.size(); done += kMaxFilesAtATime) {
    const auto some = absl::MakeConstSpan(files).subspan(done, kMaxFilesAtATime);
    SLUICE_ASSIGN_OR_RETURN(std::vector<Result> results, Measure(*asker, some, measure_options));
    for (Result& result : results) {
      result.mode = asker_options.mode;
      result.wait = asker_options.wait;
      tell_at_once(ToTsvRow(result));
      report.results.push_back(std::move(result));
    }
  }
  report.machine = ThisMachine();
  if (format == Format::kTable) std::fputs(ToTable(report).c_str(), stdout);
  if (format == Format::kJson) std::fputs(ToJson(report).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace
}  // namespace cache_demo

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Asks a cache_server for files by name: cache_client [flags] FILE...");
  return cache_demo::ExitCode("cache_client", cache_demo::Run(absl::ParseCommandLine(argc, argv)));
}
