// A figure that one thread counts and any reads, at the price of a plain addition.

#ifndef SLUICE_IPC_UTIL_INTERNAL_COUNTER_H_
#define SLUICE_IPC_UTIL_INTERNAL_COUNTER_H_

#include <atomic>
#include <cstdint>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One thread at a time adds. All orders are relaxed: a reader wants the figure, not its relation to others.
class Counter {
 public:
  // No read-modify-write is needed, as there is one writer.
  void Add(uint64_t amount) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_INTERNAL_COUNTER_H_
