// Counters of one direction of a pipe: written by one thread, read by any, at the price of plain additions.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_DIRECTION_STATS_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_DIRECTION_STATS_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "ipc_transport/counters.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// All orders are relaxed: a reader wants each figure, not their relation.
class alignas(128) DirectionStats {
 public:
  // A message of less than 4 GiB.
  void CountMessage(size_t bytes) {
    Add(sizes_[std::bit_width(bytes)], 1);
    Add(bytes_, bytes);
  }
  void CountRefusal() { Add(refused_, 1); }
  void CountSpin() { Add(spins_, 1); }
  void CountSleep() { Add(sleeps_, 1); }

  DirectionCounters Read() const {
    DirectionCounters counters = {.bytes = bytes_.load(std::memory_order_relaxed),
                                  .refused = refused_.load(std::memory_order_relaxed),
                                  .spins = spins_.load(std::memory_order_relaxed),
                                  .sleeps = sleeps_.load(std::memory_order_relaxed)};
    for (size_t i = 0; i < sizes_.size(); ++i) {
      counters.sizes[i] = sizes_[i].load(std::memory_order_relaxed);
      counters.messages += counters.sizes[i];
    }
    return counters;
  }

 private:
  // Of the one writer; no read-modify-write is needed.
  static void Add(std::atomic<uint64_t>& counter, uint64_t amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> spins_{0};
  std::atomic<uint64_t> sleeps_{0};
  std::array<std::atomic<uint64_t>, DirectionCounters::kSizeClasses> sizes_{};
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_DIRECTION_STATS_H_
