#include "ipc_transport/testing/benchmark_run.h"

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

struct End {
  int exit_code = -1;
  std::string output;  // Both kinds.
};

End Run(const char* variable, absl::string_view arguments) {
  End end;
  FILE* const program = popen(absl::StrCat(std::getenv(variable), " ", arguments, " 2>&1").c_str(), "r");
  if (program == nullptr) return end;
  char buffer[4096];
  while (const size_t bytes = std::fread(buffer, 1, sizeof(buffer), program)) end.output.append(buffer, bytes);
  const int status = pclose(program);
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  return end;
}

// The lines about rows.
std::vector<std::string> RowsOf(const End& end) {
  std::vector<std::string> rows;
  for (const absl::string_view line : absl::StrSplit(end.output, '\n')) {
    if (absl::StartsWith(line, "BM_")) rows.emplace_back(line);
  }
  return rows;
}

std::string NameOf(absl::string_view row) { return std::string(row.substr(0, row.find(' '))); }

}  // namespace

void ExpectRows(const char* variable, std::initializer_list<absl::string_view> rows,
                std::initializer_list<absl::string_view> slow, std::initializer_list<absl::string_view> gauges) {
#if !defined(__OPTIMIZE__) || !defined(NDEBUG)
  const End refused = Run(variable, "");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, HasSubstr("its figures would mean nothing"));
  return;
#endif
  std::vector<absl::string_view> to_run = rows;
  to_run.insert(to_run.end(), gauges.begin(), gauges.end());
  std::vector<absl::string_view> all = to_run;
  all.insert(all.end(), slow.begin(), slow.end());
  const End listed = Run(variable, "--benchmark_list_tests");
  EXPECT_THAT(RowsOf(listed), UnorderedElementsAreArray(all)) << listed.output;

  std::string arguments = "--benchmark_min_time=0.001";
  if (slow.size() != 0) absl::StrAppend(&arguments, " '--benchmark_filter=-^(", absl::StrJoin(slow, "|"), ")$'");
  const End end = Run(variable, arguments);
  EXPECT_EQ(end.exit_code, 0) << end.output;
  std::vector<std::string> names;
  for (const std::string& row : RowsOf(end)) {
    names.push_back(NameOf(row));
    if (absl::c_linear_search(gauges, names.back())) continue;
    if (absl::StrContains(names.back(), "OneWay")) {
      EXPECT_THAT(row, HasSubstr("items_per_second="));
    } else {
      EXPECT_THAT(row, AllOf(HasSubstr("p50_ns="), HasSubstr("p99_ns="), HasSubstr("p999_ns=")));
    }
  }
  EXPECT_THAT(names, UnorderedElementsAreArray(to_run)) << end.output;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
