#include "ipc_shm/hash.h"

#include <cstring>

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

template <typename Word>
uint64_t Load(const unsigned char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

}  // namespace

uint64_t HashBytes(const void* bytes, size_t size) noexcept {
  const auto* at = static_cast<const unsigned char*>(bytes);
  uint64_t hash = MixHashes(size, 0);
  size_t left = size;
  for (; left > 16; at += 16, left -= 16) hash = MixHashes(Load<uint64_t>(at) ^ hash, Load<uint64_t>(at + 8));
  // The rest, up to 16 bytes, as two words that may overlap.
  uint64_t first = 0;
  uint64_t last = 0;
  if (left >= 8) {
    first = Load<uint64_t>(at);
    last = Load<uint64_t>(at + left - 8);
  } else if (left >= 4) {
    first = Load<uint32_t>(at);
    last = Load<uint32_t>(at + left - 4);
  } else if (left > 0) {
    first = uint64_t{at[0]} << 16 | uint64_t{at[left / 2]} << 8 | at[left - 1];
  }
  return MixHashes(first ^ hash, last);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
