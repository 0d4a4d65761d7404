// Holds files in memory and answers a client's requests for them:
//
//   cache_server --mode=classic --sizes=1MB,1GB      # or --dir=FOLDER
//   cache_client --mode=classic 1MB 1GB

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/internal/status_macros.h"
#include "perf_demo/choices.h"
#include "perf_demo/exit_code.h"
#include "perf_demo/file_source.h"
#include "perf_demo/serve.h"
#include "perf_demo/sizes.h"

ABSL_FLAG(std::string, mode, "classic", "How answers get to the client: socket, heap, classic or jemalloc.");
ABSL_FLAG(std::string, sizes, "100KB,1MB,10MB,100MB,1GB", "Files to make and serve, by size; they are named so.");
ABSL_FLAG(std::string, dir, "", "A folder whose files to serve instead.");
ABSL_FLAG(std::string, wait, "adaptive", "How to wait for requests: adaptive, spin or sleep.");
ABSL_FLAG(std::string, memory, "",
          "The most that the files held for one client may take, as 2GB. Empty: what there is.");
ABSL_FLAG(int, clients, 1, "How many clients to serve, one after the other, before ending; 0: without end.");
ABSL_FLAG(std::string, run_folder, "", "Where the socket lies. Empty: /run/sluice or /tmp/sluice-UID.");

namespace cache_demo {
namespace {

absl::StatusOr<FileSource> FilesToServe() {
  const std::string folder = absl::GetFlag(FLAGS_dir);
  if (!folder.empty()) return FileSource::OfFolder(folder);
  SLUICE_ASSIGN_OR_RETURN(const std::vector<uint64_t> sizes, ParseSizes("sizes", absl::GetFlag(FLAGS_sizes)));
  return FileSource::OfSizes(sizes);
}

absl::StatusOr<ServeOptions> OptionsFromFlags() {
  ServeOptions options = {.run_folder = absl::GetFlag(FLAGS_run_folder), .clients = absl::GetFlag(FLAGS_clients)};
  SLUICE_ASSIGN_OR_RETURN(options.mode, ParseMode("mode", absl::GetFlag(FLAGS_mode)));
  SLUICE_ASSIGN_OR_RETURN(options.wait, ParseWait("wait", absl::GetFlag(FLAGS_wait)));
  if (const std::string memory = absl::GetFlag(FLAGS_memory); !memory.empty()) {
    SLUICE_ASSIGN_OR_RETURN(options.memory_bytes, ParseSize("memory", memory));
  }
  if (options.clients < 0) {
    return absl::InvalidArgumentError(absl::StrCat("--clients is ", options.clients, "; give 0 or more"));
  }
  return options;
}

absl::Status Run(const std::vector<char*>& arguments) {
  if (arguments.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("\"", arguments[1], "\" is no flag; see --help"));
  }
  SLUICE_ASSIGN_OR_RETURN(const ServeOptions options, OptionsFromFlags());
  SLUICE_ASSIGN_OR_RETURN(const FileSource files, FilesToServe());
  return Serve(files, options, [&] {
    std::printf("cache_server: mode %s, files: %zu, bytes: %s; listening\n", absl::GetFlag(FLAGS_mode).c_str(),
                files.entries().size(), absl::StrCat(files.total_bytes()).c_str());
    std::fflush(stdout);
  });
}

}  // namespace
}  // namespace cache_demo

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Holds files in memory and answers a client's requests for them.");
  return cache_demo::ExitCode("cache_server", cache_demo::Run(absl::ParseCommandLine(argc, argv)));
}
