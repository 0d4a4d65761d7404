// What containers in an arena cost their owner and whoever borrows them, beside those of the heap.

#ifndef SLUICE_IPC_SHM_TESTING_STRING_BENCHMARKS_H_
#define SLUICE_IPC_SHM_TESTING_STRING_BENCHMARKS_H_

#include "ipc_shm/testing/arena_benchmarks.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Registers, of vectors of 1000 strings of 32 bytes each:
//
//   BM_ConstructStrings/<heap,kind>/1000            made empty, filled by emplace_back, and freed
//   BM_ConstructStrings/<heap,kind>_reserved/1000   the same, with room from the start
//   BM_WalkStrings/<heap,kind>/1000   one byte of each string read, by a process that maps the arena for `access`
//   BM_WalkStrings/heap_equal/1000    the same on the heap, with an allocator of eight bytes in each string
//
// The percentiles tell; the mean has all that a row does. Rows of the arena time the heap in turns with it: `ratio` is
// of the medians. BM_WalkStrings/<kind> also has
// `ratio_equal`, beside strings of equal size: the rest is what the eight bytes cost.
void RegisterStringRows(const ArenaKind& kind, Access access);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_STRING_BENCHMARKS_H_
