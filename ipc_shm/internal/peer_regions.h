// The regions that a peer lends from, by their numbers.

#ifndef SLUICE_IPC_SHM_INTERNAL_PEER_REGIONS_H_
#define SLUICE_IPC_SHM_INTERNAL_PEER_REGIONS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc_session/internal/limits.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/region_window.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// That of the session, and that of the server's arena, which outlives it. Those that were announced later follow.
inline constexpr uint32_t kSessionRegion = 0;
inline constexpr uint32_t kServerRegion = 1;
static_assert(SessionMemory::kFirstLaterRegion == kServerRegion + 1);

// As this side has them mapped. Any thread, but for `Add`: one at a time.
class PeerRegions {
 public:
  // `server`: a client's, of its server's arena; else empty.
  PeerRegions(RegionWindow session, RegionWindow server) {
    regions_[kSessionRegion] = std::move(session);
    regions_[kServerRegion] = std::move(server);
  }

  // The next that was announced, at most kMaxLaterRegions of them; or why it is not to be had here.
  void Add(absl::StatusOr<RegionWindow> window) {
    const uint32_t number = count_.load(std::memory_order_relaxed);
    regions_[number] = std::move(window);
    count_.store(number + 1, std::memory_order_release);  // Pairs with `count`. It never changes from now on.
  }

  const RegionWindow& session() const { return *regions_[kSessionRegion]; }

  // Null: the peer has no such region.
  const absl::StatusOr<RegionWindow>* Find(uint32_t number) const {
    if (number >= count()) return nullptr;
    const absl::StatusOr<RegionWindow>& found = regions_[number];
    return number == kServerRegion && found->region == nullptr ? nullptr : &found;
  }

  // Calls `visit` with the window of each that is mapped.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (uint32_t number = 0; number < count(); ++number) {
      if (regions_[number].ok() && regions_[number]->region != nullptr) visit(*regions_[number]);
    }
  }

 private:
  uint32_t count() const { return count_.load(std::memory_order_acquire); }

  std::array<absl::StatusOr<RegionWindow>, SessionMemory::kFirstLaterRegion + kMaxLaterRegions> regions_;
  std::atomic<uint32_t> count_{SessionMemory::kFirstLaterRegion};
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_PEER_REGIONS_H_
