// The counters of a structured channel while they count.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_STATS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_STATS_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "ipc_transport/structured/counters.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Of one direction. One thread at a time writes, any reads. All orders are relaxed: a reader wants each figure, not
// their relation.
class alignas(128) MessageStats {
 public:
  void Count(std::optional<uint16_t> type, uint64_t bytes, uint64_t stored_bytes) {
    Add(types_[std::min<size_t>(type.value_or(MessageCounters::kTypes - 1), MessageCounters::kTypes - 1)], 1);
    Add(bytes_, bytes);
    if (stored_bytes == 0) return;
    Add(stored_messages_, 1);
    Add(stored_bytes_, stored_bytes);
  }

  MessageCounters Read() const {
    MessageCounters counters;
    for (size_t i = 0; i < types_.size(); ++i) {
      counters.types[i] = types_[i].load(std::memory_order_relaxed);
      counters.messages += counters.types[i];
    }
    counters.stored_messages = stored_messages_.load(std::memory_order_relaxed);
    counters.bytes = bytes_.load(std::memory_order_relaxed);
    counters.stored_bytes = stored_bytes_.load(std::memory_order_relaxed);
    return counters;
  }

 private:
  static void Add(std::atomic<uint64_t>& counter, uint64_t amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  std::atomic<uint64_t> stored_messages_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> stored_bytes_{0};
  std::array<std::atomic<uint64_t>, MessageCounters::kTypes> types_{};
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_STATS_H_
