#include "ipc_shm/internal/mapped_regions.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// A process with hundreds of sessions has much of the window taken: each of the two regions of another one is to find
// room among these with near certainty.
constexpr size_t kProposedPlaces = 6;

// Where regions of this process lay, the last first: proposed again, so that what is kept by address, page tables above
// all, does not grow with each session.
class RecentPlaces {
 public:
  static RecentPlaces& Get() {
    static RecentPlaces* const places = new RecentPlaces;  // A region may be let go late.
    return *places;
  }

  void Add(uint64_t address) {
    const MutexLock lock(mutex_);
    auto old = absl::c_find(addresses_, address);
    if (old == addresses_.end()) --old;
    std::move_backward(addresses_.begin(), old, old + 1);
    addresses_[0] = address;
  }

  std::array<uint64_t, 4> Now() const {
    const MutexLock lock(mutex_);
    return addresses_;
  }

 private:
  mutable Mutex mutex_;
  std::array<uint64_t, 4> addresses_ ABSL_GUARDED_BY(mutex_) = {};  // 0: none.
};

// Device and inode, and whether it is mapped for writing.
struct MappingKey {
  uint64_t device = 0;
  uint64_t inode = 0;
  bool is_writable = false;

  friend auto operator<=>(const MappingKey&, const MappingKey&) = default;
};

struct Mappings {
  Mutex mutex;
  std::map<MappingKey, std::weak_ptr<const Region>> regions ABSL_GUARDED_BY(mutex);
};

Mappings& AllMappings() {
  static Mappings* const mappings = new Mappings;  // Lives as long as the process: a region may be let go late.
  return *mappings;
}

absl::StatusOr<MappingKey> KeyOf(FdView fd, bool is_writable) {
  struct stat file;
  if (os::Fstat(fd.get(), &file) != 0) return FromErrno(errno, "look at a region");
  return MappingKey{.device = file.st_dev, .inode = file.st_ino, .is_writable = is_writable};
}

// Puts it on the list until the last user lets go.
std::shared_ptr<const Region> Share(Region region, const MappingKey& key) {
  const auto forget = [key](const Region* last) {
    RecentPlaces::Get().Add(last->address());
    {
      Mappings& mappings = AllMappings();
      const MutexLock lock(mappings.mutex);
      const auto found = mappings.regions.find(key);
      if (found != mappings.regions.end() && found->second.expired()) mappings.regions.erase(found);
    }
    delete last;
  };
  const std::shared_ptr<const Region> shared(new Region(std::move(region)), forget);
  Mappings& mappings = AllMappings();
  const MutexLock lock(mappings.mutex);
  mappings.regions.insert_or_assign(key, shared);
  return shared;
}

absl::StatusOr<std::shared_ptr<const Region>> ShareNew(Region region) {
  SLUICE_RETURN_IF_ERROR(region.PreCommit(0, ArenaRegistry::kHeadersPerRegion * sizeof(ArenaHeader)));
  SLUICE_ASSIGN_OR_RETURN(const MappingKey key, KeyOf(region.fd(), /*is_writable=*/true));
  return Share(std::move(region), key);
}

std::shared_ptr<const Region> Find(MappingKey key, Access access) {
  Mappings& mappings = AllMappings();
  const MutexLock lock(mappings.mutex);
  for (const bool is_writable : {true, false}) {
    if (access == Access::kReadWrite && !is_writable) continue;
    key.is_writable = is_writable;
    const auto found = mappings.regions.find(key);
    if (found == mappings.regions.end()) continue;
    if (std::shared_ptr<const Region> region = found->second.lock(); region != nullptr) return region;
  }
  return nullptr;
}

// One that a peer proposed, where `bytes` are free here too; else any other; empty: none is to be had.
Reservation ReserveOneOf(absl::Span<const uint64_t> proposed, uint64_t bytes) {
  for (const uint64_t address : proposed) {
    absl::StatusOr<Reservation> place = Reservation::At(address, bytes);
    if (place.ok()) return *std::move(place);
  }
  return Reservation::Anywhere(bytes).value_or(Reservation());
}

// The reservation at `address`, of exactly `bytes`: one of `reserved`, or a new one; empty: it is not to be had.
Reservation TakePlace(uint64_t address, uint64_t bytes, std::vector<Reservation> reserved) {
  const auto found = absl::c_find_if(reserved, [&](const Reservation& place) { return place.address() == address; });
  if (found != reserved.end() && found->size() == bytes) return std::move(*found);
  reserved.clear();
  absl::StatusOr<Reservation> place = Reservation::At(address, bytes);
  if (!place.ok() || place->size() != bytes) return {};
  return *std::move(place);
}

}  // namespace

RegionWindow WindowBehindHeaders(std::shared_ptr<const Region> region, bool is_committed) {
  constexpr size_t kBegin = ArenaRegistry::kHeaderBytes;
  const size_t bytes = region->size() - kBegin;
  return {.region = std::move(region), .offset = kBegin, .bytes = bytes, .is_committed = is_committed};
}

Pages PagesOf(ArenaPages pages) { return pages == ArenaPages::kHuge ? Pages::kHuge : Pages::kOrdinary; }

std::vector<Reservation> ReservePlaces(uint64_t bytes) {
  std::vector<Reservation> places;
  const auto add = [&](absl::StatusOr<Reservation> place) {
    if (place.ok()) places.push_back(*std::move(place));
    return place.ok();
  };
  // The others at random: what is free here may be taken in the peer. Places that are chosen by name are not for these.
  constexpr uint64_t kEnd = AddressWindow::AddressOf(AddressWindow::kFirstNamedSlot);
  for (const uint64_t address : RecentPlaces::Get().Now()) {
    if (places.size() == kProposedPlaces / 2) break;
    if (AddressWindow::Fits(address, bytes) && address < kEnd && bytes <= kEnd - address) {
      add(Reservation::At(address, bytes));
    }
  }
  while (places.size() < kProposedPlaces && add(Reservation::Anywhere(bytes))) {
  }
  return places;
}

std::vector<uint64_t> AddressesOf(absl::Span<const Reservation> places) {
  std::vector<uint64_t> addresses;
  for (const Reservation& place : places) addresses.push_back(place.address());
  return addresses;
}

absl::StatusOr<std::shared_ptr<const Region>> MakeRegion(absl::string_view name, uint64_t bytes,
                                                         absl::Span<const uint64_t> proposed, Pages pages) {
  if (Reservation place = ReserveOneOf(proposed, bytes); place.valid()) {
    return MakeRegionAt(name, std::move(place), pages);
  }
  SLUICE_ASSIGN_OR_RETURN(Region region, Region::Create(name, bytes, Sharing::kManyWriters, pages));
  return ShareNew(std::move(region));
}

absl::StatusOr<std::shared_ptr<const Region>> MakeRegionAt(absl::string_view name, Reservation place, Pages pages) {
  SLUICE_ASSIGN_OR_RETURN(Region region, Region::Create(name, Sharing::kManyWriters, std::move(place), pages));
  return ShareNew(std::move(region));
}

absl::StatusOr<std::shared_ptr<const Region>> MapReceived(ReceivedRegion received, Access access, uint64_t address,
                                                          std::vector<Reservation> reserved, Pages pages) {
  SLUICE_ASSIGN_OR_RETURN(const MappingKey key, KeyOf(received.fd, access == Access::kReadWrite));
  if (std::shared_ptr<const Region> region = Find(key, access); region != nullptr) {
    if (region->size() == received.bytes) return region;
    return absl::DataLossError(
        absl::StrCat("the peer's region has ", region->size(), " bytes, not the agreed ", received.bytes));
  }
  Reservation place = TakePlace(address, received.bytes, std::move(reserved));
  absl::StatusOr<Region> region =
      place.valid() ? Region::Map(std::move(received.fd), access, Sharing::kManyWriters, std::move(place), pages)
                    : Region::Map(std::move(received.fd), received.bytes, access, Sharing::kManyWriters, pages);
  if (absl::IsFailedPrecondition(region.status())) {
    return WithReason(absl::FailedPreconditionError("one side's memory is of huge pages, which the other does not "
                                                    "allow; give both ArenaPages::kHuge"),
                      Reason::kWrongLimits);
  }
  if (!region.ok()) return region.status();
  return Share(*std::move(region), key);
}

absl::StatusOr<std::shared_ptr<const Region>> MapReceivedAtOneOf(ReceivedRegion received, Access access,
                                                                 absl::Span<const uint64_t> addresses, Pages pages) {
  for (const uint64_t address : addresses) {
    absl::StatusOr<Reservation> place = Reservation::At(address, received.bytes);
    if (!place.ok()) continue;
    std::vector<Reservation> reserved;
    reserved.push_back(*std::move(place));
    return MapReceived(std::move(received), access, address, std::move(reserved), pages);
  }
  return MapReceived(std::move(received), access, /*address=*/0, {}, pages);
}

absl::StatusOr<std::shared_ptr<const Region>> MoveRegion(const Region& region, Reservation place) {
  SLUICE_ASSIGN_OR_RETURN(Fd memfd, Duplicate(region.fd()));
  SLUICE_ASSIGN_OR_RETURN(Region moved, Region::Map(std::move(memfd), Access::kReadWrite, Sharing::kManyWriters,
                                                    std::move(place), Pages::kHuge));
  SLUICE_ASSIGN_OR_RETURN(const MappingKey key, KeyOf(moved.fd(), /*is_writable=*/true));
  return Share(std::move(moved), key);
}

absl::StatusOr<RegionWindow> MapArena(ReceivedRegion received, Access access, uint64_t address, Pages pages) {
  if (received.bytes <= ArenaRegistry::kHeaderBytes) {
    return absl::DataLossError(absl::StrCat("the peer's arena has ", received.bytes, " bytes, which hold none"));
  }
  SLUICE_ASSIGN_OR_RETURN(auto mapped, MapReceived(std::move(received), access, address, {}, pages));
  return WindowBehindHeaders(std::move(mapped));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
