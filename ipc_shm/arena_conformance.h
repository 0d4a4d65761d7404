// What every arena must do: one suite, stamped on each kind.
//
//   SLUICE_INSTANTIATE_ARENA_CONFORMANCE(Classic, shm::classic::CreateArena);

#ifndef SLUICE_IPC_SHM_ARENA_CONFORMANCE_H_
#define SLUICE_IPC_SHM_ARENA_CONFORMANCE_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// How a kind of arena is made.
using CreateArena = absl::StatusOr<std::unique_ptr<::ipc::internal::PagedArena>> (*)(
    ::ipc::internal::RegionWindow window, size_t limit_bytes, ::ipc::internal::ArenaPlace place);

class ArenaConformance : public ::testing::TestWithParam<CreateArena> {
 protected:
  static constexpr size_t kLimit = size_t{64} << 20;

  // What it makes for a test; a region at an equal address has its headers first.
  void SetUp() override { Make(kLimit); }
  // The bytes before the window were not touched.
  void TearDown() override;

  // An arena of `limit_bytes` in a region of its own, in place of the one that there is.
  void Make(size_t limit_bytes);

  // What this thread's cache and the quarantine hold goes back to the heap.
  void GiveUpFreedBlocks() { EXPECT_EQ(arena_->TryAllocate(window_.bytes, 8), nullptr); }

  size_t ResidentBytes() const { return region_->ResidentBytes().value_or(0); }

  std::shared_ptr<const Region> region_;
  ::ipc::internal::RegionWindow window_;
  std::unique_ptr<::ipc::internal::PagedArena> arena_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#define SLUICE_INSTANTIATE_ARENA_CONFORMANCE(name, create)                      \
  namespace ipc {                                                               \
  inline namespace sluice_0 {                                                   \
  namespace testing {                                                           \
  INSTANTIATE_TEST_SUITE_P(name, ArenaConformance, ::testing::Values(&create)); \
  }                                                                             \
  }                                                                             \
  }                                                                             \
  static_assert(true)

#endif  // SLUICE_IPC_SHM_ARENA_CONFORMANCE_H_
