// Tells the process that made an object from a forked child, whose copy of it must harm nobody.

#ifndef SLUICE_IPC_UTIL_INTERNAL_FORK_GUARD_H_
#define SLUICE_IPC_UTIL_INTERNAL_FORK_GUARD_H_

#include <atomic>
#include <cstdint>

#include "absl/base/optimization.h"
#include "absl/status/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A value: a copy belongs to the same process. Any thread; costs one load. A child made by a bare clone(2) is not seen.
class ForkGuard {
 public:
  ForkGuard();

  bool InForkedChild() const { return ABSL_PREDICT_FALSE(made_in_ != generation_.load(std::memory_order_relaxed)); }

  // FAILED_PRECONDITION in a forked child.
  absl::Status Check() const { return InForkedChild() ? NotOurs() : absl::OkStatus(); }

 private:
  static absl::Status NotOurs();

  // How many forks lead to this process. Stored in the child while it has one thread, so relaxed.
  static std::atomic<uint32_t> generation_;

  uint32_t made_in_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_INTERNAL_FORK_GUARD_H_
