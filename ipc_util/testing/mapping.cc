#include "ipc_util/testing/mapping.h"

#include <cstdint>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

Mapping MappingAt(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  Mapping mapping;
  bool is_it = false;
  std::ifstream smaps("/proc/self/smaps");
  for (std::string line; std::getline(smaps, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    const std::vector<std::string> range = absl::StrSplit(words[0], '-');
    uint64_t begin;
    uint64_t end;
    size_t kibibytes;
    if (range.size() == 2 && absl::SimpleHexAtoi(range[0], &begin) && absl::SimpleHexAtoi(range[1], &end)) {
      is_it = begin <= wanted && wanted < end;
      if (is_it) mapping.head = line;
    } else if (is_it && words[0] == "VmFlags:") {
      mapping.flags.assign(words.begin() + 1, words.end());
    } else if (is_it && words[0] == "KernelPageSize:" && absl::SimpleAtoi(words[1], &kibibytes)) {
      mapping.page_bytes = kibibytes << 10;
    }
  }
  return mapping;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
