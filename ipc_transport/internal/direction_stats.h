// Counters of one direction of a pipe: written by one thread, read by any, at the price of plain additions.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_DIRECTION_STATS_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_DIRECTION_STATS_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "ipc_transport/counters.h"
#include "ipc_util/internal/counter.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One thread at a time counts, any reads.
class alignas(128) DirectionStats {
 public:
  // A message of less than 4 GiB.
  void CountMessage(size_t bytes) {
    sizes_[std::bit_width(bytes)].Add(1);
    bytes_.Add(bytes);
  }
  void CountRefusal() { refused_.Add(1); }
  void CountSpin() { spins_.Add(1); }
  void CountSleep() { sleeps_.Add(1); }

  DirectionCounters Read() const {
    DirectionCounters counters = {
        .bytes = bytes_.value(), .refused = refused_.value(), .spins = spins_.value(), .sleeps = sleeps_.value()};
    for (size_t i = 0; i < sizes_.size(); ++i) {
      counters.sizes[i] = sizes_[i].value();
      counters.messages += counters.sizes[i];
    }
    return counters;
  }

  uint64_t messages() const {
    uint64_t sum = 0;
    for (const Counter& size : sizes_) sum += size.value();
    return sum;
  }

 private:
  Counter bytes_;
  Counter refused_;
  Counter spins_;
  Counter sleeps_;
  std::array<Counter, DirectionCounters::kSizeClasses> sizes_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_DIRECTION_STATS_H_
