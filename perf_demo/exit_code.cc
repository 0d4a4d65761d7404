#include "perf_demo/exit_code.h"

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace cache_demo {

int ExitCode(absl::string_view program, const absl::Status& status) {
  if (status.ok()) return 0;
  const std::string line = absl::StrCat(program, ": ", absl::StrReplaceAll(status.message(), {{"\n", " "}}), "\n");
  std::fputs(line.c_str(), stderr);
  return 1;
}

}  // namespace cache_demo
