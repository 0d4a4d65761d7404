// What the thread sanitizer cannot see where both ends of a session are in one process: they share the mapping of an
// arena, while the atomics that order its use lie in outboxes, which each end maps for itself.

#ifndef SLUICE_IPC_SHM_INTERNAL_TSAN_ORDER_H_
#define SLUICE_IPC_SHM_INTERNAL_TSAN_ORDER_H_

#include "absl/base/config.h"
#include "ipc_shm/internal/region_window.h"

#if defined(ABSL_HAVE_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
#endif

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Of loans of what lies in a window: lent and borrowed, then given back and taken back. Each second one follows each
// first one that came before. Nothing in other builds.
#if defined(ABSL_HAVE_THREAD_SANITIZER)
inline void TsanRelease(const RegionWindow& window, size_t key) {
  if (window.region != nullptr) __tsan_release(window.data() + key);
}
inline void TsanAcquire(const RegionWindow& window, size_t key) {
  if (window.region != nullptr) __tsan_acquire(window.data() + key);
}
#else
inline void TsanRelease(const RegionWindow& /*window*/, size_t /*key*/) {}
inline void TsanAcquire(const RegionWindow& /*window*/, size_t /*key*/) {}
#endif

inline void TsanLent(const RegionWindow& window) { TsanRelease(window, 0); }
inline void TsanBorrowed(const RegionWindow& window) { TsanAcquire(window, 0); }
inline void TsanGivenBack(const RegionWindow& window) { TsanRelease(window, sizeof(void*)); }
inline void TsanTakenBack(const RegionWindow& window) { TsanAcquire(window, sizeof(void*)); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_TSAN_ORDER_H_
