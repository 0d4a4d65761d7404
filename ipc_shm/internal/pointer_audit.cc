#include "ipc_shm/internal/pointer_audit.h"

#include <cstdlib>
#include <cstring>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ipc_util/internal/os.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Smaller words are taken for numbers: only programs that are not position-independent have something there, and
// sanitizers their shadow memory.
constexpr uintptr_t kLowest = uintptr_t{0x2000'0000'0000};

// Abseil may have a string_view of its own.
absl::string_view Text(std::string_view text) { return {text.data(), text.size()}; }

// "" where /proc is not mounted.
std::string ReadMaps() {
  std::string text;
  const int fd = os::Open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return text;
  char buffer[4096];
  while (true) {
    const ssize_t bytes = os::Read(fd, buffer, sizeof(buffer));
    if (bytes <= 0) break;
    text.append(buffer, static_cast<size_t>(bytes));
  }
  os::Close(fd);
  return text;
}

}  // namespace

bool PointerAudit::InRegion(uintptr_t address) const {
  // Up to its end, where that of the last block's contents may be.
  return address - reinterpret_cast<uintptr_t>(region_.data()) <= region_.size();
}

void PointerAudit::CheckPointer(const void* pointer, std::string_view holder, std::string_view what) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (address == 0 || InRegion(address) || !status_.ok()) return;
  status_ = absl::InvalidArgumentError(Describe(address, holder, what));
}

void PointerAudit::CheckWords(const void* object, size_t bytes, std::string_view holder) {
  for (size_t offset = 0; offset + sizeof(uintptr_t) <= bytes; offset += sizeof(uintptr_t)) {
    uintptr_t word;
    std::memcpy(&word, static_cast<const std::byte*>(object) + offset, sizeof(word));
    if (word < kLowest || InRegion(word) || Find(word) == nullptr) continue;
    if (suspicion_.empty()) suspicion_ = Describe(word, holder, "the word at byte " + std::to_string(offset));
    return;
  }
}

const PointerAudit::Mapping* PointerAudit::Find(uintptr_t address) {
  if (!mappings_.has_value()) {
    mappings_.emplace();
    std::istringstream maps(ReadMaps());
    for (std::string line; std::getline(maps, line);) {
      // "begin-end rwxp offset device inode   name"
      char* rest = nullptr;
      Mapping mapping = {.begin = std::strtoul(line.c_str(), &rest, 16), .end = 0, .name = "private memory"};
      if (*rest == '-') mapping.end = std::strtoul(rest + 1, nullptr, 16);
      const size_t name = line.find_first_of("/[");
      if (name != std::string::npos) mapping.name = line.substr(name);
      mappings_->push_back(std::move(mapping));
    }
  }
  for (const Mapping& mapping : *mappings_) {
    if (address >= mapping.begin && address < mapping.end) return &mapping;
  }
  return nullptr;
}

std::string PointerAudit::Describe(uintptr_t address, std::string_view holder, std::string_view what) {
  const Mapping* const mapping = Find(address);
  return absl::StrCat(Text(what), " of a ", Text(holder), " lies outside of the arena, at 0x", absl::Hex(address),
                      " in ", mapping == nullptr ? "unmapped memory" : mapping->name);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
