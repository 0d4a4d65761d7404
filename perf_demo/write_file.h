// Files that a program leaves.

#ifndef SLUICE_PERF_DEMO_WRITE_FILE_H_
#define SLUICE_PERF_DEMO_WRITE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cache_demo {

// Makes the folder at `path`, and those above it, unless it is there. Errors of FromErrno.
absl::Status MakeFolder(const std::string& path);

// Makes or replaces the file at `path`. Errors of FromErrno.
absl::Status WriteFile(const std::string& path, absl::string_view content);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_WRITE_FILE_H_
