#include "ipc_shm/testing/shared_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr uintptr_t kLeastPrivate = uintptr_t{1} << 32;
// What is larger is a sanitizer's shadow, in which numbers lie by chance.
constexpr uintptr_t kMostPrivate = uintptr_t{16} << 30;
constexpr size_t kMostText = 2000;
constexpr uint64_t kOldWord = 0x0101010101010101 * uint64_t{SharedPages::kOldByte};

struct Mapping {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  bool is_readable = false;
  std::string line = {};
};

bool IsShared(const Mapping& mapping) { return absl::StrContains(mapping.line, "/memfd:sluice"); }

std::vector<Mapping> MappingsNow() {
  std::vector<Mapping> mappings;
  std::ifstream file("/proc/self/maps");
  for (std::string line; std::getline(file, line);) {
    Mapping mapping;
    char access[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &mapping.begin, &mapping.end, access) != 3) std::abort();
    mapping.is_readable = access[0] == 'r';
    mapping.line = line;
    mappings.push_back(std::move(mapping));
  }
  return mappings;
}

}  // namespace

SharedPages SharedPages::Now() {
  SharedPages found;
  const std::vector<Mapping> mappings = MappingsNow();
  std::map<uintptr_t, const Mapping*> private_by_end;
  for (const Mapping& mapping : mappings) {
    // Reservations are nobody's addresses, and low ones, of a sanitizer's shadow, look like short texts.
    if (IsShared(mapping) || !mapping.is_readable || mapping.begin < kLeastPrivate) continue;
    if (mapping.end - mapping.begin <= kMostPrivate) private_by_end.emplace(mapping.end, &mapping);
  }
  // Not through the mappings: of what was freed, the address sanitizer forbids it.
  const Fd memory(open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  std::vector<uint64_t> page(kPageBytes / sizeof(uint64_t));
  for (const Mapping& mapping : mappings) {
    if (!IsShared(mapping) || !mapping.is_readable) continue;
    const size_t pages = (mapping.end - mapping.begin) / kPageBytes;
    std::vector<unsigned char> is_present(pages);
    if (mincore(reinterpret_cast<void*>(mapping.begin), mapping.end - mapping.begin, is_present.data()) != 0) continue;
    for (size_t i = 0; i < pages; ++i) {
      const uintptr_t at = mapping.begin + i * kPageBytes;
      if ((is_present[i] & 1) == 0) continue;
      if (pread(memory.get(), page.data(), kPageBytes, static_cast<off_t>(at)) != ssize_t{kPageBytes}) std::abort();
      for (size_t word = 0; word < page.size(); ++word) {
        if (page[word] == 0) continue;
        ++found.words;
        if (page[word] == kOldWord || page[word] == ~kOldWord) ++found.old_words;
        const auto holder = private_by_end.upper_bound(page[word]);
        if (holder == private_by_end.end() || page[word] < holder->second->begin) continue;
        if (found.private_addresses.size() > kMostText) continue;
        absl::StrAppend(&found.private_addresses, absl::Hex(page[word]), " at ", absl::Hex(at + word * 8), ", in '",
                        mapping.line, "', is in '", holder->second->line, "'\n");
      }
    }
  }
  return found;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
