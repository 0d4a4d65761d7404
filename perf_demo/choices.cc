#include "perf_demo/choices.h"

#include <cstddef>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ipc_util/internal/status_macros.h"

namespace cache_demo {
namespace {

template <typename T>
struct Choice {
  T value;
  absl::string_view name;
};

constexpr Choice<Mode> kModes[] = {
    {Mode::kSocket, "socket"}, {Mode::kHeap, "heap"}, {Mode::kClassic, "classic"}, {Mode::kJemalloc, "jemalloc"}};
constexpr Choice<ipc::WaitMode> kWaits[] = {
    {ipc::WaitMode::kAdaptive, "adaptive"}, {ipc::WaitMode::kSpin, "spin"}, {ipc::WaitMode::kSleep, "sleep"}};
constexpr Choice<Verify> kVerifies[] = {{Verify::kFirst, "first"}, {Verify::kAll, "all"}};
constexpr Choice<Format> kFormats[] = {{Format::kTable, "table"}, {Format::kJson, "json"}, {Format::kTsv, "tsv"}};
constexpr Choice<Cores> kCores[] = {
    {Cores::kAuto, "auto"}, {Cores::kAny, "any"}, {Cores::kOne, "one"}, {Cores::kTwo, "two"}};

template <typename T, size_t kSize>
absl::string_view NameIn(const Choice<T> (&choices)[kSize], T value) {
  for (const Choice<T>& choice : choices) {
    if (choice.value == value) return choice.name;
  }
  return "unknown";
}

template <typename T, size_t kSize>
absl::StatusOr<T> ParseIn(const Choice<T> (&choices)[kSize], absl::string_view flag, absl::string_view name) {
  std::string names;
  for (const Choice<T>& choice : choices) {
    if (choice.name == name) return choice.value;
    absl::StrAppend(&names, names.empty() ? "" : ", ", choice.name);
  }
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " has \"", name, "\"; there are: ", names));
}

}  // namespace

bool IsZeroCopy(Mode mode) { return mode == Mode::kClassic || mode == Mode::kJemalloc; }

absl::string_view Name(Mode mode) { return NameIn(kModes, mode); }
absl::string_view Name(ipc::WaitMode wait) { return NameIn(kWaits, wait); }
absl::string_view Name(Verify verify) { return NameIn(kVerifies, verify); }
absl::string_view Name(Cores cores) { return NameIn(kCores, cores); }

absl::StatusOr<Mode> ParseMode(absl::string_view flag, absl::string_view name) { return ParseIn(kModes, flag, name); }

absl::StatusOr<ipc::WaitMode> ParseWait(absl::string_view flag, absl::string_view name) {
  return ParseIn(kWaits, flag, name);
}

absl::StatusOr<Verify> ParseVerify(absl::string_view flag, absl::string_view name) {
  return ParseIn(kVerifies, flag, name);
}

absl::StatusOr<Format> ParseFormat(absl::string_view flag, absl::string_view name) {
  return ParseIn(kFormats, flag, name);
}

absl::StatusOr<Cores> ParseCores(absl::string_view flag, absl::string_view name) { return ParseIn(kCores, flag, name); }

absl::StatusOr<std::vector<Mode>> ParseModes(absl::string_view flag, absl::string_view names) {
  std::vector<Mode> modes;
  for (const absl::string_view name : absl::StrSplit(names, ',')) {
    SLUICE_ASSIGN_OR_RETURN(const Mode mode, ParseMode(flag, name));
    if (absl::c_linear_search(modes, mode)) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag, " has ", name, " twice; give it once"));
    }
    modes.push_back(mode);
  }
  return modes;
}

}  // namespace cache_demo
