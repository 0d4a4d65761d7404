// Regions of this process by their memfds: two who want the same one share its mapping.

#ifndef SLUICE_IPC_SHM_INTERNAL_MAPPED_REGIONS_H_
#define SLUICE_IPC_SHM_INTERNAL_MAPPED_REGIONS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_session/arena_pages.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// All of `region` behind its arenas' headers. `is_committed`: as of RegionWindow.
RegionWindow WindowBehindHeaders(std::shared_ptr<const Region> region, bool is_committed = false);

// What regions of `pages` are made of.
Pages PagesOf(ArenaPages pages);

// Several places of `bytes`, for a peer to choose from; none if there are none. Some of them are where regions lay
// before.
std::vector<Reservation> ReservePlaces(uint64_t bytes);

// Their addresses.
std::vector<uint64_t> AddressesOf(absl::Span<const Reservation> places);

// A new region of `bytes`, of whole pages: at a place that a peer proposed, where it is free here too; else at another
// where equal addresses can be; else anywhere. Its headers have their memory. Errors as of `Region::Create`,
// kManyWriters, and of `Region::PreCommit`. Any thread.
absl::StatusOr<std::shared_ptr<const Region>> MakeRegion(absl::string_view name, uint64_t bytes,
                                                         absl::Span<const uint64_t> proposed,
                                                         Pages pages = Pages::kOrdinary);

// The same as large as `place` and there.
absl::StatusOr<std::shared_ptr<const Region>> MakeRegionAt(absl::string_view name, Reservation place,
                                                           Pages pages = Pages::kOrdinary);

// What a peer sent, mapped at `address` if that is a place for it in this process, for which it may be one of
// `reserved`; else anywhere. If the process has it mapped with sufficient access already, that mapping. `pages`: what
// this side allows. Errors as of `Region::Map`, kManyWriters; FAILED_PRECONDITION (kWrongLimits): one side alone allows
// huge pages. Any thread.
absl::StatusOr<std::shared_ptr<const Region>> MapReceived(ReceivedRegion received, Access access, uint64_t address,
                                                          std::vector<Reservation> reserved = {},
                                                          Pages pages = Pages::kOrdinary);

// The same at the first of `addresses` that is a place for it in this process; else anywhere.
absl::StatusOr<std::shared_ptr<const Region>> MapReceivedAtOneOf(ReceivedRegion received, Access access,
                                                                 absl::Span<const uint64_t> addresses,
                                                                 Pages pages = Pages::kOrdinary);

// This process's own `region`, mapped at `place` as well, which is as large; for whoever lets go of the old mapping.
// Errors as of `Region::Map`.
absl::StatusOr<std::shared_ptr<const Region>> MoveRegion(const Region& region, Reservation place);

// As MapReceived of a region with an arena, behind whose headers the window begins. DATA_LOSS also: it is too small for
// one.
absl::StatusOr<RegionWindow> MapArena(ReceivedRegion received, Access access, uint64_t address,
                                      Pages pages = Pages::kOrdinary);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_MAPPED_REGIONS_H_
