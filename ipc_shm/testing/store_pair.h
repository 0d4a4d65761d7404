// The message stores of both ends of a session, in one process.

#ifndef SLUICE_IPC_SHM_TESTING_STORE_PAIR_H_
#define SLUICE_IPC_SHM_TESTING_STORE_PAIR_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/segment_store.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

inline constexpr uint32_t kStorePairSlots = 100;

struct StorePair {
  std::shared_ptr<::ipc::internal::SegmentStore> a;
  std::shared_ptr<::ipc::internal::SegmentStore> b;
  // Where their segments and objects lie; one region for both.
  ::ipc::internal::RegionWindow a_window;
  ::ipc::internal::RegionWindow b_window;
};

struct StorePairOptions {
  uint32_t slots = kStorePairSlots;
  // Without one they can have no objects.
  bool has_equal_address = true;
  // What `a` takes for the process of `b`.
  std::shared_ptr<const PidFd> b_process = nullptr;
  // Of both arenas.
  absl::Duration decay = ::ipc::internal::PagedArena::kDefaultDecay;
};

// Each of them has an arena of `limit_bytes`, whose small blocks have whole units of pages. Ends the program if the
// system has no such region.
StorePair CreateStorePair(size_t limit_bytes, const StorePairOptions& options = {});

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_STORE_PAIR_H_
