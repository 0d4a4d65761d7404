// Regions that are announced while a session lasts.

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ipc_session/internal/limits.h"
#include "ipc_session/internal/session_channels.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<uint32_t> SessionChannels::Announce(const OfferedRegion& region, uint64_t address) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  const MutexLock lock(mutex_);
  SLUICE_RETURN_IF_ERROR(ProcessLocked());
  if (own_regions_ >= kMaxLaterRegions) {
    return absl::ResourceExhaustedError(absl::StrCat("this side of the session has shared ", own_regions_,
                                                     " arenas, which is the most; put more into one of them"));
  }
  SLUICE_ASSIGN_OR_RETURN(Fd descriptor, Duplicate(region.fd));
  const uint32_t number = SessionMemory::kFirstLaterRegion + own_regions_++;
  Send(RegionFrame{.number = number, .bytes = region.bytes, .address = address}, std::move(descriptor));
  os::Point("session.region.announced");
  return number;
}

bool SessionChannels::IsAnnounced(uint32_t number) {
  if (fork_guard_.InForkedChild()) return false;
  const MutexLock lock(mutex_);
  Flush();
  return absl::c_none_of(unsent_, [number](const Unsent& unsent) { return unsent.region == number; });
}

absl::StatusOr<FdView> SessionChannels::ReleasesFd() {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  const MutexLock lock(mutex_);
  if (release_events_ == nullptr) {
    SLUICE_ASSIGN_OR_RETURN(release_events_, LinkEvents::Create(link_));
  }
  return release_events_->fd();
}

void SessionChannels::QuietReleases() {
  link_->Pump();  // First: the bell itself.
  const MutexLock lock(mutex_);
  release_events_->Quiet();
}

void SessionChannels::SignalReleases() {
  const MutexLock lock(mutex_);
  release_events_->Signal();
}

absl::Status SessionChannels::HandleFrame(const RegionFrame& frame, std::vector<Fd> descriptors,
                                          const absl::Status& lost) {
  os::Point("session.region.received");
  const auto broken = [&frame](absl::string_view what) {
    return absl::DataLossError(
        absl::StrCat("the peer broke the session protocol: the region that it announced as ", frame.number, what));
  };
  if (memory_ == nullptr) return broken(" came into a session without shared memory");
  if (peer_regions_ >= kMaxLaterRegions) return broken(absl::StrCat(" is one more than ", kMaxLaterRegions));
  const uint32_t due = SessionMemory::kFirstLaterRegion + peer_regions_;
  if (frame.number != due) return broken(absl::StrCat(" is not ", due, ", which is the next"));
  ++peer_regions_;
  if (!lost.ok()) return memory_->AdoptLater(lost, frame.address);
  if (descriptors.size() != 1) {
    return broken(absl::StrCat(" came with ", descriptors.size(), " descriptors, where 1 is due"));
  }
  return memory_->AdoptLater(ReceivedRegion{.fd = std::move(descriptors[0]), .bytes = frame.bytes}, frame.address);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
