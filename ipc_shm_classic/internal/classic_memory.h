// The memory of a classic session: one region that both sides map for writing, a half for each.

#ifndef SLUICE_IPC_SHM_CLASSIC_INTERNAL_CLASSIC_MEMORY_H_
#define SLUICE_IPC_SHM_CLASSIC_INTERNAL_CLASSIC_MEMORY_H_

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
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The server makes the region, by its own `arena_bytes`; of a client's, what its half allows counts.
class ClassicMemory final : public SessionMemory {
 public:
  static absl::StatusOr<std::shared_ptr<SessionMemory>> Create(Side side, uint64_t arena_bytes);

  absl::StatusOr<std::vector<OfferedRegion>> Offer() override;
  absl::Status Adopt(std::vector<ReceivedRegion> regions) override;
  std::shared_ptr<MessageStore> Open(ReleaseCounters counters) override;
  std::optional<MemoryUsage> Usage() const override;

 private:
  ClassicMemory(Side side, uint64_t arena_bytes) : side_(side), arena_bytes_(arena_bytes) {}

  // Takes this side's half of `region`, and makes the arena in it.
  absl::Status Use(Region region);

  const Side side_;
  const uint64_t arena_bytes_;
  RegionWindow own_;
  RegionWindow peer_;
  std::unique_ptr<shm::Arena> arena_;  // Until it is open.
  std::weak_ptr<SegmentStore> store_;  // From then on.
};

// `Factory()` for MemorySession.
struct ClassicKind {
  static std::shared_ptr<const SessionMemoryFactory> Factory();
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_CLASSIC_INTERNAL_CLASSIC_MEMORY_H_
