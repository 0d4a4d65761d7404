#include "ipc_shm/internal/unit_bitmap.h"

#include <algorithm>
#include <bit>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

uint64_t UnitBitmap::MaskOf(size_t word, size_t first, size_t end) {
  const size_t begin = word * kWordBits;
  const uint64_t from_first = first > begin ? ~uint64_t{0} << (first - begin) : ~uint64_t{0};
  const uint64_t to_end = end < begin + kWordBits ? (uint64_t{1} << (end - begin)) - 1 : ~uint64_t{0};
  return from_first & to_end;
}

void UnitBitmap::Assign(size_t first, size_t count, bool value) {
  const size_t end = first + count;
  for (size_t word = first / kWordBits; word * kWordBits < end; ++word) {
    const uint64_t mask = MaskOf(word, first, end);
    words_[word] = value ? words_[word] | mask : words_[word] & ~mask;
  }
}

size_t UnitBitmap::CountSet(size_t first, size_t count) const {
  const size_t end = first + count;
  size_t total = 0;
  for (size_t word = first / kWordBits; word * kWordBits < end; ++word) {
    total += std::popcount(words_[word] & MaskOf(word, first, end));
  }
  return total;
}

size_t UnitBitmap::Next(size_t from, uint64_t flip) const {
  for (size_t word = from / kWordBits; word * kWordBits < size_; ++word) {
    const uint64_t bits = (words_[word] ^ flip) & MaskOf(word, from, size_);
    if (bits != 0) return word * kWordBits + std::countr_zero(bits);
  }
  return size_;
}

std::optional<size_t> UnitBitmap::FindClearRun(size_t from, size_t count) const {
  while (true) {
    const size_t begin = NextClear(from);
    if (count > size_ - std::min(begin, size_)) return std::nullopt;
    const size_t end = NextSet(begin);
    if (end - begin >= count) return begin;
    from = end;
  }
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
