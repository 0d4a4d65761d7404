// What a heap does for its arena is in arena_conformance.cc.

#include "ipc_shm_classic/internal/best_fit_heap.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kBytes = size_t{1} << 20;

class BestFitHeapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(Region region, Region::Create("best-fit", kBytes, Sharing::kManyWriters));
    region_ = std::make_shared<const Region>(std::move(region));
    runs_ = std::make_unique<PageRuns>(RegionWindow{.region = region_, .offset = 0, .bytes = kBytes});
  }

  std::shared_ptr<const Region> region_;
  std::unique_ptr<PageRuns> runs_;
};

TEST_F(BestFitHeapTest, NeedsARun) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  EXPECT_NE(heap->Allocate(100, 8, false), nullptr);
  EXPECT_THAT(CreateBestFitHeap(*runs_, kBytes),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("no run of 1048576 bytes")));
}

TEST_F(BestFitHeapTest, IsFullWithoutHarm) {
  ASSERT_OK_AND_ASSIGN(const auto heap, CreateBestFitHeap(*runs_, kBytes));
  EXPECT_EQ(heap->Allocate(kBytes, 8, true), nullptr);
  void* const block = heap->Allocate(kBytes / 2, 4096, true);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 4096, 0u);
  EXPECT_EQ(heap->Allocate(kBytes / 2, 8, true), nullptr);
  heap->Free(block, kBytes / 2);
  EXPECT_NE(heap->Allocate(kBytes / 2, 8, true), nullptr);
}

}  // namespace
}  // namespace ipc::internal
