#include "perf_demo/result.h"

#include <cstddef>
#include <iterator>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "ipc_util/internal/status_macros.h"

namespace cache_demo {
namespace {

struct NumberColumn {
  absl::string_view name;
  uint64_t Result::* member;
};

constexpr absl::string_view kTextColumns[] = {"mode", "wait", "verify"};
// Last, so that whatever is in a name it cannot be taken for numbers.
constexpr absl::string_view kFileColumn = "file";
constexpr size_t kTextCount = std::size(kTextColumns);
constexpr NumberColumn kNumberColumns[] = {{"bytes", &Result::bytes},
                                           {"iterations", &Result::iterations},
                                           {"p50_ns", &Result::p50_ns},
                                           {"p99_ns", &Result::p99_ns},
                                           {"max_ns", &Result::max_ns},
                                           {"build_ns", &Result::build_ns},
                                           {"first_read_ns", &Result::first_read_ns},
                                           {"read_all_ns", &Result::read_all_ns},
                                           {"verify_ns", &Result::verify_ns},
                                           {"server_private_bytes", &Result::server_private_bytes},
                                           {"server_shared_bytes", &Result::server_shared_bytes},
                                           {"client_private_bytes", &Result::client_private_bytes},
                                           {"client_shared_bytes", &Result::client_shared_bytes}};

std::string ToLine(const std::vector<std::string>& cells) { return absl::StrCat(absl::StrJoin(cells, "\t"), "\n"); }

}  // namespace

std::string TsvHeader() {
  std::vector<std::string> cells(std::begin(kTextColumns), std::end(kTextColumns));
  for (const NumberColumn& column : kNumberColumns) cells.emplace_back(column.name);
  cells.emplace_back(kFileColumn);
  return ToLine(cells);
}

std::string ToTsvRow(const Result& result) {
  std::vector<std::string> cells = {std::string(Name(result.mode)), std::string(Name(result.wait)),
                                    std::string(Name(result.verify))};
  for (const NumberColumn& column : kNumberColumns) cells.push_back(absl::StrCat(result.*column.member));
  cells.push_back(result.file);
  return ToLine(cells);
}

absl::StatusOr<Result> ParseTsvRow(absl::string_view row) {
  const std::vector<absl::string_view> cells = absl::StrSplit(row, '\t');
  const absl::Status no_row = absl::InvalidArgumentError(absl::StrCat("\"", row, "\" is no row of results"));
  if (cells.size() != kTextCount + std::size(kNumberColumns) + 1) return no_row;
  Result result = {.file = std::string(cells.back())};
  SLUICE_ASSIGN_OR_RETURN(result.mode, ParseMode(kTextColumns[0], cells[0]));
  SLUICE_ASSIGN_OR_RETURN(result.wait, ParseWait(kTextColumns[1], cells[1]));
  SLUICE_ASSIGN_OR_RETURN(result.verify, ParseVerify(kTextColumns[2], cells[2]));
  for (size_t i = 0; i < std::size(kNumberColumns); ++i) {
    if (!absl::SimpleAtoi(cells[kTextCount + i], &(result.*kNumberColumns[i].member))) return no_row;
  }
  return result;
}

}  // namespace cache_demo
