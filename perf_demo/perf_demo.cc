// Sends files from cache_server to cache_client in each mode, and reports what it took:
//
//   ./bazelw run //perf_demo
//   ./bazelw run //perf_demo -- --sizes=1MB,1GB --wait=spin --out=/tmp/report

#include <stdlib.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/internal/status_macros.h"
#include "perf_demo/choices.h"
#include "perf_demo/demo.h"
#include "perf_demo/exit_code.h"
#include "perf_demo/file_source.h"
#include "perf_demo/machine.h"
#include "perf_demo/placement.h"
#include "perf_demo/plot.h"
#include "perf_demo/program.h"
#include "perf_demo/report.h"
#include "perf_demo/result.h"
#include "perf_demo/run_folder.h"
#include "perf_demo/sizes.h"
#include "perf_demo/write_file.h"

ABSL_FLAG(std::string, modes, "socket,heap,classic,jemalloc",
          "Ways to send: socket is the baseline, heap a session without shared memory, the others one with.");
ABSL_FLAG(std::string, sizes, "100KB,1MB,10MB,100MB,1GB", "Files to make and send, by size.");
ABSL_FLAG(std::string, dir, "", "A folder whose files to send instead.");
ABSL_FLAG(std::string, wait, "adaptive", "How both programs wait: adaptive, spin or sleep.");
ABSL_FLAG(
    std::string, cores, "auto",
    "Where they run: any core, both on one, or two for them; auto: two if they spin, one if they sleep, else any.");
ABSL_FLAG(uint64_t, iterations, 0, "How often to ask for each file; 0: 1000 times at least if small, or for 2 s.");
ABSL_FLAG(std::string, verify, "all", "Which parts of a file to hash and compare: first or all.");
ABSL_FLAG(std::string, out, "", "A folder for results.json, results.tsv, plot.png and plot.svg. Empty: none of them.");
ABSL_FLAG(std::string, format, "table", "What to print: table, json or tsv.");

namespace cache_demo {
namespace {

namespace fs = std::filesystem;

// The line on a terminal that tells how far it is; nothing where standard error is something else.
class ProgressLine {
 public:
  ~ProgressLine() { Show(""); }

  void Show(const std::string& text) const {
    if (is_terminal_) std::fprintf(stderr, "\r\033[K%s", text.c_str());
  }

 private:
  const bool is_terminal_ = isatty(STDERR_FILENO) == 1;
};

// Bazel runs a program elsewhere, and says where its user is.
std::string FromWhereTheUserIs(const std::string& path) {
  const char* const folder = getenv("BUILD_WORKING_DIRECTORY");
  return path.empty() || folder == nullptr ? path : (fs::path(folder) / path).string();
}

absl::StatusOr<std::string> Sibling(const std::string& name) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path path = self.parent_path() / name;
  if (!fs::exists(path, error)) {
    return absl::UnavailableError(
        absl::StrCat("there is no ", path.string(), "; build //perf_demo, or put ", name, " beside perf_demo"));
  }
  return path.string();
}

struct Settings {
  std::vector<Mode> modes = {};
  Placement placement = {};
  Format format = Format::kTable;
  std::string out = {};
  std::string server_files_flag = {};
  std::vector<std::string> files = {};
};

absl::Status ReadFiles(Settings& settings) {
  const std::string folder = FromWhereTheUserIs(absl::GetFlag(FLAGS_dir));
  FileSource source = FileSource::OfSizes({});
  if (folder.empty()) {
    SLUICE_ASSIGN_OR_RETURN(const std::vector<uint64_t> sizes, ParseSizes("sizes", absl::GetFlag(FLAGS_sizes)));
    source = FileSource::OfSizes(sizes);
    settings.server_files_flag = absl::StrCat("--sizes=", absl::GetFlag(FLAGS_sizes));
  } else {
    SLUICE_ASSIGN_OR_RETURN(source, FileSource::OfFolder(folder));
    settings.server_files_flag = absl::StrCat("--dir=", folder);
  }
  for (const FileSource::Entry& entry : source.entries()) settings.files.push_back(entry.name);
  return absl::OkStatus();
}

absl::StatusOr<Settings> ReadFlags() {
  Settings settings = {.out = FromWhereTheUserIs(absl::GetFlag(FLAGS_out))};
  SLUICE_ASSIGN_OR_RETURN(settings.modes, ParseModes("modes", absl::GetFlag(FLAGS_modes)));
  SLUICE_ASSIGN_OR_RETURN(settings.format, ParseFormat("format", absl::GetFlag(FLAGS_format)));
  // The two programs are given these as they are.
  SLUICE_ASSIGN_OR_RETURN(const ipc::WaitMode wait, ParseWait("wait", absl::GetFlag(FLAGS_wait)));
  SLUICE_RETURN_IF_ERROR(ParseVerify("verify", absl::GetFlag(FLAGS_verify)).status());
  SLUICE_ASSIGN_OR_RETURN(const Cores cores, ParseCores("cores", absl::GetFlag(FLAGS_cores)));
  SLUICE_ASSIGN_OR_RETURN(settings.placement, Place(cores, wait, AllowedProcessors()));
  SLUICE_RETURN_IF_ERROR(ReadFiles(settings));
  if (!settings.out.empty()) SLUICE_RETURN_IF_ERROR(MakeFolder(settings.out));
  return settings;
}

absl::StatusOr<Report> Measure(const Settings& settings) {
  SLUICE_ASSIGN_OR_RETURN(const RunFolder folder, RunFolder::Create(fs::temp_directory_path().string()));
  const std::string run_folder = absl::StrCat("--run_folder=", folder.path());
  const std::string wait = absl::StrCat("--wait=", absl::GetFlag(FLAGS_wait));
  DemoOptions options = {.server_flags = {settings.server_files_flag, wait, run_folder},
                         .client_flags = {wait, run_folder, absl::StrCat("--verify=", absl::GetFlag(FLAGS_verify)),
                                          absl::StrCat("--iterations=", absl::GetFlag(FLAGS_iterations))},
                         .placement = settings.placement,
                         .files = settings.files};
  SLUICE_ASSIGN_OR_RETURN(options.server_program, Sibling("cache_server"));
  SLUICE_ASSIGN_OR_RETURN(options.client_program, Sibling("cache_client"));
  Report report = {.machine = ThisMachine(), .cores = settings.placement.cores};
  const ProgressLine progress;
  const size_t total = settings.modes.size() * settings.files.size();
  size_t done = 0;
  for (const Mode mode : settings.modes) {
    const auto show = [&] { progress.Show(absl::StrCat("mode ", Name(mode), "; ", done, " of ", total, " done")); };
    const auto on_result = [&] {
      ++done;
      show();
    };
    show();
    SLUICE_ASSIGN_OR_RETURN(const std::vector<Result> results, RunMode(mode, options, on_result));
    report.results.insert(report.results.end(), results.begin(), results.end());
  }
  return report;
}

absl::Status Save(const Report& report, const std::string& folder) {
  SLUICE_RETURN_IF_ERROR(WriteFile(folder + "/results.json", ToJson(report)));
  SLUICE_RETURN_IF_ERROR(WriteFile(folder + "/results.tsv", ToTsv(report)));
  return DrawPlot(folder);
}

void Print(const Report& report, Format format) {
  const std::string text = format == Format::kTable  ? ToTable(report)
                           : format == Format::kJson ? ToJson(report)
                                                     : ToTsv(report);
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

absl::Status Run(const std::vector<char*>& arguments) {
  if (arguments.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("\"", arguments[1], "\" is no flag; see --help"));
  }
  SLUICE_ASSIGN_OR_RETURN(const Settings settings, ReadFlags());
  TurnSignalsIntoStatus();
  SLUICE_ASSIGN_OR_RETURN(const Report report, Measure(settings));
  Print(report, settings.format);
  return settings.out.empty() ? absl::OkStatus() : Save(report, settings.out);
}

}  // namespace
}  // namespace cache_demo

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Sends files from one process to another in several ways, and reports what it took.");
  return cache_demo::ExitCode("perf_demo", cache_demo::Run(absl::ParseCommandLine(argc, argv)));
}
