// Sizes as people write them. Units are decimal: 1GB is 1000000000 bytes.

#ifndef SLUICE_PERF_DEMO_SIZES_H_
#define SLUICE_PERF_DEMO_SIZES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cache_demo {

inline constexpr uint64_t kMaxFileBytes = 100'000'000'000;

// "100KB", "7" (bytes). INVALID_ARGUMENT: no such thing, or above `kMaxFileBytes`; the text has `flag`.
absl::StatusOr<uint64_t> ParseSize(absl::string_view flag, absl::string_view text);

// A list with commas between, in its order. INVALID_ARGUMENT: as above, or one is listed twice.
absl::StatusOr<std::vector<uint64_t>> ParseSizes(absl::string_view flag, absl::string_view text);

// In the largest unit that leaves a whole number: "1500KB", "7B". `ParseSize` reads it back.
std::string FormatSize(uint64_t bytes);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_SIZES_H_
