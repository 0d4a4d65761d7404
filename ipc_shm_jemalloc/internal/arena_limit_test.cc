// How many jemalloc arenas a process has.

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_shm_jemalloc/internal/jemalloc_heap.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kMostArenas = 4093;
constexpr size_t kBytes = size_t{1} << 30;

TEST(ArenaLimitTest, ClosingArenasMakesRoomForOthers) {
  ASSERT_OK_AND_ASSIGN(Region region, Region::Create("limit", kBytes, Sharing::kManyWriters));
  PageRuns runs(
      RegionWindow{.region = std::make_shared<const Region>(std::move(region)), .offset = 0, .bytes = kBytes});
  std::vector<std::unique_ptr<SmallHeap>> heaps;
  for (size_t i = 0; i < kMostArenas; ++i) {
    ASSERT_OK_AND_ASSIGN(heaps.emplace_back(), CreateJemallocHeap(runs));
  }
  const auto is_refused =
      StatusIs(absl::StatusCode::kResourceExhausted, AllOf(HasSubstr("at most 4093"), HasSubstr("close sessions")));
  for (int i = 0; i < 100; ++i) EXPECT_THAT(CreateJemallocHeap(runs), is_refused);
  EXPECT_NE(heaps.back()->Allocate(100, 16, false), nullptr) << "those that there are work";

  // As many as were closed, and not one more: refusals took none.
  constexpr size_t kClosed = 100;
  for (size_t i = 0; i < kClosed; ++i) heaps[10 * i] = nullptr;
  for (size_t i = 0; i < kClosed; ++i) {
    ASSERT_OK_AND_ASSIGN(heaps[10 * i], CreateJemallocHeap(runs));
    EXPECT_NE(heaps[10 * i]->Allocate(100, 16, false), nullptr);
  }
  EXPECT_THAT(CreateJemallocHeap(runs), is_refused);
}

}  // namespace
}  // namespace ipc::internal
