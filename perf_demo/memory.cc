#include "perf_demo/memory.h"

#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "ipc_util/internal/status_macros.h"

namespace cache_demo {
namespace {

constexpr uint64_t kKiB = 1024;

// Bytes of the line "<name>:   <number> kB" in `path`.
absl::StatusOr<uint64_t> BytesIn(const std::string& path, absl::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, name) || !absl::ConsumePrefix(&rest, ":") || !absl::ConsumeSuffix(&rest, " kB")) {
      continue;
    }
    uint64_t kibibytes = 0;
    if (absl::SimpleAtoi(rest, &kibibytes)) return kibibytes * kKiB;
  }
  return absl::UnavailableError(absl::StrCat("there is no ", name, " in ", path));
}

}  // namespace

absl::StatusOr<ProcessMemory> MemoryOf(pid_t pid) {
  const std::string path = absl::StrCat("/proc/", pid, "/status");
  SLUICE_ASSIGN_OR_RETURN(const uint64_t private_bytes, BytesIn(path, "RssAnon"));
  SLUICE_ASSIGN_OR_RETURN(const uint64_t shared_bytes, BytesIn(path, "RssShmem"));
  return ProcessMemory{.private_bytes = private_bytes, .shared_bytes = shared_bytes};
}

absl::StatusOr<MachineMemory> MemoryOfMachine() {
  const std::string path = "/proc/meminfo";
  SLUICE_ASSIGN_OR_RETURN(const uint64_t total, BytesIn(path, "MemTotal"));
  SLUICE_ASSIGN_OR_RETURN(const uint64_t available, BytesIn(path, "MemAvailable"));
  return MachineMemory{.total_bytes = total, .available_bytes = available};
}

}  // namespace cache_demo
