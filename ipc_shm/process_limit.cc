#include "ipc_shm/process_limit.h"

#include <algorithm>
#include <atomic>

namespace ipc {
inline namespace sluice_0 {
namespace {

// Counters alone: they order nothing.
constinit std::atomic<uint64_t> used_bytes{0};
constinit std::atomic<uint64_t> limit_bytes{std::numeric_limits<uint64_t>::max()};

}  // namespace

namespace shm {

void SetProcessLimit(uint64_t bytes) { limit_bytes.store(bytes, std::memory_order_relaxed); }

ProcessUsage GetProcessUsage() {
  return {.used_bytes = used_bytes.load(std::memory_order_relaxed),
          .limit_bytes = limit_bytes.load(std::memory_order_relaxed)};
}

}  // namespace shm

namespace internal {

size_t TakeFromProcess(size_t bytes, size_t count) {
  const uint64_t limit = limit_bytes.load(std::memory_order_relaxed);
  uint64_t used = used_bytes.load(std::memory_order_relaxed);
  uint64_t allowed;
  do {
    // It may have been lowered below what is used.
    allowed = std::min<uint64_t>(count, (limit - std::min(used, limit)) / bytes);
    if (allowed == 0) return 0;
  } while (!used_bytes.compare_exchange_weak(used, used + allowed * bytes, std::memory_order_relaxed));
  return static_cast<size_t>(allowed);
}

void GiveBackToProcess(size_t bytes) { used_bytes.fetch_sub(bytes, std::memory_order_relaxed); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
