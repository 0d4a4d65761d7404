// A lane of a ring between two pages that nobody may touch.

#ifndef SLUICE_IPC_TRANSPORT_FUZZ_GUARDED_LANE_H_
#define SLUICE_IPC_TRANSPORT_FUZZ_GUARDED_LANE_H_

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "absl/types/span.h"
#include "ipc_transport/internal/ring_layout.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// An access one byte outside ends the program. Stays mapped for ever.
class GuardedLane {
 public:
  explicit GuardedLane(size_t ring_bytes) {
    const size_t bytes = ::ipc::internal::LaneBytes(ring_bytes);
    void* const all = mmap(nullptr, bytes + 2 * kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) std::abort();
    std::byte* const data = static_cast<std::byte*>(all) + kPageBytes;
    if (mprotect(data, bytes, PROT_READ | PROT_WRITE) != 0) std::abort();
    bytes_ = absl::MakeSpan(data, bytes);
  }

  absl::Span<std::byte> bytes() const { return bytes_; }

  // As a new one.
  void Reset() const {
    std::memset(bytes_.data(), 0, bytes_.size());
    ::ipc::internal::InitLane(bytes_);
  }

 private:
  static constexpr size_t kPageBytes = 4096;

  absl::Span<std::byte> bytes_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_FUZZ_GUARDED_LANE_H_
