#include "ipc_util/internal/fork_guard.h"

#include <pthread.h>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

std::atomic<uint32_t> ForkGuard::generation_{0};

ForkGuard::ForkGuard() : made_in_(generation_.load(std::memory_order_relaxed)) {
  static const int registered = pthread_atfork(nullptr, nullptr, [] {
    generation_.store(generation_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  });
  static_cast<void>(registered);  // Fails only without memory; then forked children are not told apart.
}

absl::Status ForkGuard::NotOurs() {
  return absl::FailedPreconditionError(
      "this belongs to the process that forked this one; connect anew, or exec another program");
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
