// What the benchmarks of all kinds of arena have in common.

#ifndef SLUICE_IPC_SHM_TESTING_ARENA_BENCHMARKS_H_
#define SLUICE_IPC_SHM_TESTING_ARENA_BENCHMARKS_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// How a kind of arena is made, and what its rows are called.
struct ArenaKind {
  absl::string_view name;
  absl::StatusOr<std::unique_ptr<::ipc::internal::PagedArena>> (*create)(::ipc::internal::RegionWindow window,
                                                                         size_t limit_bytes,
                                                                         ::ipc::internal::ArenaPlace place);
};

// An arena alone in a region at an equal address. Failures end the program.
struct LoneArena {
  LoneArena(const ArenaKind& kind, size_t limit_bytes);

  std::shared_ptr<const Region> region;
  std::unique_ptr<::ipc::internal::PagedArena> arena;
};

// Registers, with the floors of each:
//
//   BM_AllocateFree/<heap,private_jemalloc,kind>/64    a block of 64 bytes allocated and freed, again and again
//   BM_FirstRead/<warm,kind,kind_populated,kind_huge>/1000000000
//       each byte read, by a mapping that has not touched any of them before (`warm`: has read all). `_populated`: the
//       reader maps all pages ahead, which is timed too (read_p50_ns: the reading alone); `_huge`: the owner has moved
//       them into huge pages.
//
// Where memory does not suffice, FirstRead reads less and says so in its label and on stderr.
void RegisterArenaRows(const ArenaKind& kind);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_ARENA_BENCHMARKS_H_
