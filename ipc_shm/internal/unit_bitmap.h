// A bitmap with operations on ranges.

#ifndef SLUICE_IPC_SHM_INTERNAL_UNIT_BITMAP_H_
#define SLUICE_IPC_SHM_INTERNAL_UNIT_BITMAP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// All bits clear at first. Ranges lie inside `size()`. One thread.
class UnitBitmap {
 public:
  explicit UnitBitmap(size_t size) : size_(size), words_((size + kWordBits - 1) / kWordBits) {}

  size_t size() const { return size_; }

  void Set(size_t first, size_t count) { Assign(first, count, true); }
  void Clear(size_t first, size_t count) { Assign(first, count, false); }
  size_t CountSet(size_t first, size_t count) const;

  // The first bit at or after `from` that is set, or clear; `size()` if there is none.
  size_t NextSet(size_t from) const { return Next(from, 0); }
  size_t NextClear(size_t from) const { return Next(from, ~uint64_t{0}); }

  // Where the first `count` > 0 clear bits in a row, at or after `from`, begin.
  std::optional<size_t> FindClearRun(size_t from, size_t count) const;

 private:
  static constexpr size_t kWordBits = 64;

  // The bits of word `word` that lie in the range.
  static uint64_t MaskOf(size_t word, size_t first, size_t end);
  void Assign(size_t first, size_t count, bool value);
  // Of the words exclusive-or `flip`.
  size_t Next(size_t from, uint64_t flip) const;

  size_t size_;
  std::vector<uint64_t> words_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_UNIT_BITMAP_H_
