// Addresses at which regions lie equally in several processes.

#ifndef SLUICE_IPC_UTIL_INTERNAL_ADDRESS_SPACE_H_
#define SLUICE_IPC_UTIL_INTERNAL_ADDRESS_SPACE_H_

#include <cstddef>
#include <cstdint>

#include "absl/base/config.h"
#include "absl/status/statusor.h"
#include "ipc_util/internal/fork_guard.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The window in which such regions lie, which programs leave alone by themselves, and the slots that it is cut into. A
// region takes whole slots. The thread sanitizer leaves a smaller one.
struct AddressWindow {
#if defined(ABSL_HAVE_THREAD_SANITIZER)
  static constexpr uintptr_t kBegin = uintptr_t{0x10'0000'0000};
  static constexpr uintptr_t kEnd = uintptr_t{0x7f'0000'0000};
  static constexpr size_t kSlotBytes = size_t{512} << 20;
#else
  static constexpr uintptr_t kBegin = uintptr_t{0x2000'0000'0000};
  static constexpr uintptr_t kEnd = uintptr_t{0x5000'0000'0000};
  static constexpr size_t kSlotBytes = size_t{4} << 30;
#endif
  static constexpr size_t kSlots = (kEnd - kBegin) / kSlotBytes;
  // Slots from here on are chosen by name, for regions that more than two processes map; the others at random.
  static constexpr size_t kFirstNamedSlot = kSlots / 4 * 3;

  static constexpr uintptr_t AddressOf(size_t slot) { return kBegin + slot * kSlotBytes; }

  // Whole slots that hold `bytes`.
  static constexpr size_t SlotsFor(uint64_t bytes) { return (bytes + kSlotBytes - 1) / kSlotBytes; }

  // Whether `bytes` > 0 at `address` begin at a slot and lie in the window. Right for any numbers.
  static constexpr bool Fits(uint64_t address, uint64_t bytes) {
    return bytes > 0 && bytes <= kEnd - kBegin && address >= kBegin && address <= kEnd - bytes &&
           (address - kBegin) % kSlotBytes == 0;
  }
};

// Addresses that nothing else in this process takes. Move-only; gives them back when it is destroyed, unless a region
// has taken its place.
class Reservation {
 public:
  Reservation() = default;  // Empty.
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();

  // Of `bytes`, rounded up to whole pages, at `address`, which fit the window. RESOURCE_EXHAUSTED: something lies there
  // already, or this process may have no more addresses (RLIMIT_AS).
  static absl::StatusOr<Reservation> At(uint64_t address, size_t bytes);

  // At random, in the slots that are not chosen by name. RESOURCE_EXHAUSTED: as above.
  static absl::StatusOr<Reservation> Anywhere(size_t bytes);

  bool valid() const { return data_ != nullptr; }
  std::byte* data() const { return data_; }
  uint64_t address() const { return reinterpret_cast<uintptr_t>(data_); }
  size_t size() const { return size_; }

  // Something was mapped over it, which whoever did so unmaps.
  void Replaced() && { data_ = nullptr; }

 private:
  Reservation(std::byte* data, size_t size) : data_(data), size_(size) {}

  std::byte* data_ = nullptr;
  size_t size_ = 0;
  ForkGuard fork_guard_;  // A forked child's copy is not its own to give back.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_INTERNAL_ADDRESS_SPACE_H_
