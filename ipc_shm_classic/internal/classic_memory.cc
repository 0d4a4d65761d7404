#include "ipc_shm_classic/internal/classic_memory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm_classic/arena.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

class ClassicFactory final : public SessionMemoryFactory {
 public:
  MemoryKind kind() const override { return MemoryKind::kClassic; }
  absl::StatusOr<std::shared_ptr<SessionMemory>> Create(Side side, uint64_t arena_bytes) const override {
    return ClassicMemory::Create(side, arena_bytes);
  }
};

}  // namespace

absl::StatusOr<std::shared_ptr<SessionMemory>> ClassicMemory::Create(Side side, uint64_t arena_bytes) {
  const std::shared_ptr<ClassicMemory> memory(new ClassicMemory(side, arena_bytes));
  if (side == Side::kServer) {
    SLUICE_ASSIGN_OR_RETURN(Region region,
                            Region::Create("sluice-classic", 2 * WindowBytesFor(arena_bytes), Sharing::kManyWriters));
    SLUICE_RETURN_IF_ERROR(memory->Use(std::move(region)));
  }
  return memory;
}

absl::Status ClassicMemory::Use(Region region) {
  const auto shared = std::make_shared<const Region>(std::move(region));
  const size_t half = shared->size() / 2;
  own_ = {.region = shared, .offset = side_ == Side::kServer ? 0 : half, .bytes = half};
  peer_ = {.region = shared, .offset = half - own_.offset, .bytes = half};
  SLUICE_ASSIGN_OR_RETURN(
      arena_, shm::classic::CreateArena(own_, std::min<size_t>(arena_bytes_, half / kWindowBytesPerLimitByte)));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<OfferedRegion>> ClassicMemory::Offer() {
  if (side_ == Side::kClient) return std::vector<OfferedRegion>();
  return std::vector<OfferedRegion>({{.fd = own_.region->fd(), .bytes = own_.region->size()}});
}

absl::Status ClassicMemory::Adopt(std::vector<ReceivedRegion> regions) {
  const size_t due = side_ == Side::kServer ? 0 : 1;
  if (regions.size() != due) {
    return absl::DataLossError(
        absl::StrCat("the peer of a classic session sent ", regions.size(), " regions, where ", due, " are due"));
  }
  if (side_ == Side::kServer) return absl::OkStatus();
  if (regions[0].bytes == 0 || regions[0].bytes % (2 * WindowBytesFor(1)) != 0) {
    return absl::DataLossError(absl::StrCat("the server's classic region has ", regions[0].bytes,
                                            " bytes, which are not two halves of whole units"));
  }
  SLUICE_ASSIGN_OR_RETURN(Region region, Region::Map(std::move(regions[0].fd), regions[0].bytes, Access::kReadWrite,
                                                     Sharing::kManyWriters));
  return Use(std::move(region));
}

std::shared_ptr<MessageStore> ClassicMemory::Open(ReleaseCounters counters) {
  std::shared_ptr<SegmentStore> store = SegmentStore::Create(std::move(arena_), own_, peer_, std::move(counters));
  store_ = store;
  return store;
}

std::optional<MemoryUsage> ClassicMemory::Usage() const {
  const std::shared_ptr<SegmentStore> store = store_.lock();
  if (store == nullptr) return std::nullopt;
  const shm::ArenaStats stats = store->arena_stats();
  return MemoryUsage{.used_bytes = stats.allocated_bytes, .limit_bytes = stats.limit_bytes};
}

std::shared_ptr<const SessionMemoryFactory> ClassicKind::Factory() {
  static const auto& factory = *new std::shared_ptr<const SessionMemoryFactory>(new ClassicFactory());
  return factory;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
