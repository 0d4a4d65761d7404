// Sizes of small blocks that leave no gaps in their heap.

#ifndef SLUICE_IPC_SHM_INTERNAL_SIZE_CLASSES_H_
#define SLUICE_IPC_SHM_INTERNAL_SIZE_CLASSES_H_

#include <algorithm>
#include <cstddef>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Classes of requests for up to `kMaxBytes`, `kStepBytes` apart. Which class a request is of is the same for all heaps,
// and costs nothing to find; what room a block of the class has follows from the heap. A value.
class SizeClasses {
 public:
  static constexpr size_t kStepBytes = 8;
  static constexpr size_t kMaxBytes = 512;
  static constexpr size_t kCount = kMaxBytes / kStepBytes;
  // Blocks lie at multiples of this, so they take multiples of it.
  static constexpr size_t kAlignment = 16;

  // `added_bytes`, up to `kAlignment`: what the heap adds to each block. `least_bytes`: the room in the smallest block
  // that it makes.
  constexpr explicit SizeClasses(size_t added_bytes = 0, size_t least_bytes = kAlignment)
      : added_bytes_(added_bytes), least_bytes_(least_bytes) {}

  // Whether there is a class for `bytes`.
  static constexpr bool Holds(size_t bytes) { return bytes - 1 < kMaxBytes; }
  // The class for `bytes` that it `Holds`; below `kCount`.
  static constexpr size_t IndexOf(size_t bytes) { return (bytes - 1) / kStepBytes; }

  // The room in a block for `bytes` of any size: without a gap before the next one, if there is a class for them.
  constexpr size_t RoomFor(size_t bytes) const {
    if (!Holds(bytes)) return bytes;
    const size_t block = std::max(bytes, least_bytes_) + added_bytes_;
    return (block + kAlignment - 1) / kAlignment * kAlignment - added_bytes_;
  }

  // What such a block takes of memory; a little less, if there is no class.
  constexpr size_t FootprintOf(size_t bytes) const { return RoomFor(bytes) + added_bytes_; }

 private:
  size_t added_bytes_;
  size_t least_bytes_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_SIZE_CLASSES_H_
