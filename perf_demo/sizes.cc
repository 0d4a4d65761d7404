#include "perf_demo/sizes.h"

#include <iterator>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ipc_util/internal/status_macros.h"

namespace cache_demo {
namespace {

struct Unit {
  absl::string_view name;
  uint64_t bytes;
};

// The largest first; "B" last, since the others end with it.
constexpr Unit kUnits[] = {{"GB", 1'000'000'000}, {"MB", 1'000'000}, {"KB", 1'000}, {"B", 1}};

}  // namespace

absl::StatusOr<uint64_t> ParseSize(absl::string_view flag, absl::string_view text) {
  absl::string_view digits = text;
  uint64_t unit_bytes = 1;
  for (const Unit& unit : kUnits) {
    if (!absl::ConsumeSuffix(&digits, unit.name)) continue;
    unit_bytes = unit.bytes;
    break;
  }
  uint64_t number = 0;
  const bool has_number = absl::c_all_of(digits, absl::ascii_isdigit) && absl::SimpleAtoi(digits, &number);
  if (!has_number || number > kMaxFileBytes / unit_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("--", flag, " has the size \"", text,
                                                   "\"; write a whole number with B, KB, MB or GB, at most ",
                                                   FormatSize(kMaxFileBytes)));
  }
  return number * unit_bytes;
}

absl::StatusOr<std::vector<uint64_t>> ParseSizes(absl::string_view flag, absl::string_view text) {
  std::vector<uint64_t> sizes;
  for (const absl::string_view item : absl::StrSplit(text, ',')) {
    SLUICE_ASSIGN_OR_RETURN(const uint64_t size, ParseSize(flag, item));
    if (absl::c_linear_search(sizes, size)) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag, " has ", FormatSize(size), " twice; give it once"));
    }
    sizes.push_back(size);
  }
  return sizes;
}

std::string FormatSize(uint64_t bytes) {
  const auto* const unit = absl::c_find_if(
      kUnits, [&](const Unit& candidate) { return bytes >= candidate.bytes && bytes % candidate.bytes == 0; });
  if (unit == std::end(kUnits)) return absl::StrCat(bytes, "B");
  return absl::StrCat(bytes / unit->bytes, unit->name);
}

}  // namespace cache_demo
