#include "ipc_shm_jemalloc/internal/jemalloc_memory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm_jemalloc/arena.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// All of `region`.
RegionWindow WindowOver(Region region) {
  const size_t bytes = region.size();
  return {.region = std::make_shared<const Region>(std::move(region)), .offset = 0, .bytes = bytes};
}

class JemallocFactory final : public SessionMemoryFactory {
 public:
  MemoryKind kind() const override { return MemoryKind::kJemalloc; }
  absl::StatusOr<std::shared_ptr<SessionMemory>> Create(Side /*side*/, uint64_t arena_bytes) const override {
    return JemallocMemory::Create(arena_bytes);
  }
};

}  // namespace

absl::StatusOr<std::shared_ptr<SessionMemory>> JemallocMemory::Create(uint64_t arena_bytes) {
  SLUICE_ASSIGN_OR_RETURN(Region region,
                          Region::Create("sluice-jemalloc", WindowBytesFor(arena_bytes), Sharing::kManyWriters));
  RegionWindow own = WindowOver(std::move(region));
  SLUICE_ASSIGN_OR_RETURN(Fd for_peer, own.region->OpenReadOnly());
  SLUICE_ASSIGN_OR_RETURN(std::unique_ptr<shm::Arena> arena, shm::jemalloc::CreateArena(own, arena_bytes));
  return std::shared_ptr<SessionMemory>(new JemallocMemory(std::move(own), std::move(for_peer), std::move(arena)));
}

JemallocMemory::JemallocMemory(RegionWindow own, Fd for_peer, std::unique_ptr<shm::Arena> arena)
    : own_(std::move(own)), for_peer_(std::move(for_peer)), arena_(std::move(arena)) {}

absl::StatusOr<std::vector<OfferedRegion>> JemallocMemory::Offer() {
  return std::vector<OfferedRegion>({{.fd = for_peer_, .bytes = own_.bytes}});
}

absl::Status JemallocMemory::Adopt(std::vector<ReceivedRegion> regions) {
  if (regions.size() != 1) {
    return absl::DataLossError(
        absl::StrCat("the peer of a jemalloc session sent ", regions.size(), " regions, where 1 is due"));
  }
  SLUICE_ASSIGN_OR_RETURN(
      Region region, Region::Map(std::move(regions[0].fd), regions[0].bytes, Access::kReadOnly, Sharing::kManyWriters));
  peer_ = WindowOver(std::move(region));
  return absl::OkStatus();
}

std::shared_ptr<MessageStore> JemallocMemory::Open(ReleaseCounters counters) {
  std::shared_ptr<SegmentStore> store = SegmentStore::Create(std::move(arena_), own_, peer_, std::move(counters));
  store_ = store;
  return store;
}

std::optional<MemoryUsage> JemallocMemory::Usage() const {
  const std::shared_ptr<SegmentStore> store = store_.lock();
  if (store == nullptr) return std::nullopt;
  const shm::ArenaStats stats = store->arena_stats();
  return MemoryUsage{.used_bytes = stats.allocated_bytes, .limit_bytes = stats.limit_bytes};
}

std::shared_ptr<const SessionMemoryFactory> JemallocKind::Factory() {
  static const auto& factory = *new std::shared_ptr<const SessionMemoryFactory>(new JemallocFactory());
  return factory;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
