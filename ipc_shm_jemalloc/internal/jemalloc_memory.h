// The memory of a jemalloc session: a region of each side, which the other maps for reading only.

#ifndef SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_MEMORY_H_
#define SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_MEMORY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/segment_store.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

class JemallocMemory final : public SessionMemory {
 public:
  static absl::StatusOr<std::shared_ptr<SessionMemory>> Create(uint64_t arena_bytes);

  absl::StatusOr<std::vector<OfferedRegion>> Offer() override;
  absl::Status Adopt(std::vector<ReceivedRegion> regions) override;
  std::shared_ptr<MessageStore> Open(ReleaseCounters counters) override;
  std::optional<MemoryUsage> Usage() const override;

 private:
  JemallocMemory(RegionWindow own, Fd for_peer, std::unique_ptr<shm::Arena> arena);

  const RegionWindow own_;
  const Fd for_peer_;  // Of the own region, for reading.
  RegionWindow peer_;
  std::unique_ptr<shm::Arena> arena_;  // Until it is open.
  std::weak_ptr<SegmentStore> store_;  // From then on.
};

// `Factory()` for MemorySession.
struct JemallocKind {
  static std::shared_ptr<const SessionMemoryFactory> Factory();
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_JEMALLOC_INTERNAL_JEMALLOC_MEMORY_H_
